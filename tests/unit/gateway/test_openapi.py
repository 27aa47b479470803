"""Many documents, one."""

from gateway.domain.openapi import merge

OWN = {
    "openapi": "3.1.0",
    "info": {"title": "SigmaSight gateway", "version": "0.1.0", "description": "The whole."},
    "paths": {"/health": {"get": {}}, "/api/v1/events": {"get": {}}},
}


def document(paths, **schemas):
    return {
        "openapi": "3.1.0",
        "info": {"title": "x", "version": "1"},
        "paths": {
            path: {
                "get": {
                    "responses": {
                        "200": {
                            "content": {
                                "application/json": {
                                    "schema": {"$ref": f"#/components/schemas/{schema}"}
                                }
                            }
                        }
                    }
                }
            }
            for path, schema in paths.items()
        },
        "components": {"schemas": schemas},
    }


def schema_of(merged, path):
    answer = merged["paths"][path]["get"]["responses"]["200"]
    return answer["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[-1]


def test_only_routed_paths_of_the_owner_are_in_it():
    others = {
        "auth": document({"/api/v1/auth/me": "Me", "/health": "Me"}, Me={"type": "object"}),
        "chat": document({"/api/v1/auth/me": "Me", "/internal/x": "Me"}, Me={"type": "object"}),
    }
    merged = merge(OWN, others, [])
    assert set(merged["paths"]) == {"/health", "/api/v1/events", "/api/v1/auth/me"}


def test_a_name_with_two_meanings_gets_its_services_name():
    others = {
        "chat": document({"/api/v1/chat/x": "Item"}, Item={"type": "object"}),
        "risk-engine": document({"/api/v1/analytics/x": "Item"}, Item={"type": "string"}),
    }
    merged = merge(OWN, others, [])
    assert schema_of(merged, "/api/v1/chat/x") == "ChatItem"
    assert schema_of(merged, "/api/v1/analytics/x") == "RiskEngineItem"
    assert merged["components"]["schemas"]["RiskEngineItem"] == {"type": "string"}


def test_a_name_with_one_meaning_is_shared():
    same = {"type": "object"}
    others = {
        "chat": document({"/api/v1/chat/x": "Item"}, Item=same),
        "risk-engine": document({"/api/v1/analytics/x": "Item"}, Item=same),
    }
    assert set(merge(OWN, others, [])["components"]["schemas"]) == {"Item"}


def test_equal_words_about_different_things_are_told_apart():
    page = {"type": "array", "items": {"$ref": "#/components/schemas/Item"}}
    others = {
        "chat": document({"/api/v1/chat/x": "Page"}, Page=page, Item={"type": "object"}),
        "risk-engine": document({"/api/v1/analytics/x": "Page"}, Page=page, Item={"type": "null"}),
    }
    schemas = merge(OWN, others, [])["components"]["schemas"]
    assert schemas["ChatPage"]["items"]["$ref"] == "#/components/schemas/ChatItem"
    assert schemas["RiskEnginePage"]["items"]["$ref"] == "#/components/schemas/RiskEngineItem"


def test_a_component_nothing_refers_to_is_left_out():
    others = {"chat": document({"/api/v1/chat/x": "Item"}, Item={}, Hidden={})}
    assert set(merge(OWN, others, [])["components"]["schemas"]) == {"Item"}


def test_a_service_that_does_not_answer_is_named():
    description = merge(OWN, {}, ["chat", "auth"])["info"]["description"]
    assert description.startswith("The whole.")
    assert "auth, chat" in description


def test_each_operation_says_whether_it_needs_a_token():
    others = {"auth": document({"/api/v1/auth/me": "A", "/api/v1/auth/login": "A"}, A={})}
    paths = merge(OWN, others, [])["paths"]
    assert paths["/api/v1/auth/login"]["get"]["security"] == []
    assert paths["/health"]["get"]["security"] == []
    assert {"bearer": []} in paths["/api/v1/auth/me"]["get"]["security"]
    assert {"bearer": []} in paths["/api/v1/events"]["get"]["security"]
