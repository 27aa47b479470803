"""Auth, composed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
from pwdlib import PasswordHash

from auth import api, handlers
from auth.domain import KeyRing, SigningKey, new_key, unseal
from auth.repository import Store
from auth.settings import Settings
from common import identity
from common.home import kept_secret
from common.http import create_app
from common.process import run
from common.relay import Relay
from common.service import Platform, Service
from common.unit_of_work import UnitOfWork

log = structlog.get_logger()


def build(settings: Settings, platform: Platform) -> Service:
    """Compose the service."""
    unit_of_work = platform.unit_of_work("auth")
    app = create_app("auth", "Accounts, logins and signing keys.", unit_of_work)
    secret = settings.secret_key.get_secret_value() or kept_secret(platform.home, "secret-key")
    passwords = PasswordHash.recommended()
    app.state.policy = api.Policy(
        invite_code=settings.beta_invite_code.get_secret_value(),
        admin_email=settings.admin_email,
        deterministic_ids=settings.deterministic_uuids,
        secure_cookies=settings.environment == "production",
        passwords=passwords,
        unknown_password_hash=passwords.hash("of nobody"),
    )

    async def keys() -> identity.KeySet:
        return {"keys": list(app.state.key_ring.public_keys)}

    identity.install(app, identity.Verifier(keys), platform.internal_token, tenancy=None)
    app.include_router(api.router)

    @asynccontextmanager
    async def resources() -> AsyncIterator[None]:
        app.state.key_ring = await _key_ring(unit_of_work, secret)
        async with Relay(unit_of_work, platform.bus).running():
            yield

    return Service("auth", app, unit_of_work, resources, handlers.SUBSCRIPTIONS, Store)


async def _key_ring(unit_of_work: UnitOfWork, secret: str) -> KeyRing:
    async with unit_of_work.begin() as unit:
        store = Store(unit)
        await store.lock_signing_keys()
        kept = await store.signing_keys()
        signing: SigningKey | None = None
        for row in kept:
            signing = signing or unseal(row["id"], row["sealed_private_key"], secret)
        public = [row["public_key"] for row in kept]
        if signing is None:
            # None yet, or SECRET_KEY was changed: tokens signed before stay valid to their end.
            log.info("signing_key_made", known=len(kept))
            signing = new_key()
            await store.add_signing_key(signing.id, signing.public_jwk(), signing.sealed(secret))
            public.insert(0, signing.public_jwk())
    return KeyRing(signing, tuple(public))


if __name__ == "__main__":
    run("auth", lambda platform: build(Settings(), platform))
