"""How faults of what a user sent are told: all of them, the first as the sentence."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from common.errors import ServiceError
from onboarding.domain.faults import Fault


def refused(faults: Sequence[Fault]) -> ServiceError:
    """Return the error that lists these faults of a form or a body, at least one."""
    return ServiceError(faults[0].code, faults[0].message, details=listed(faults))


def listed(faults: Sequence[Fault]) -> dict[str, Any]:
    """Return the faults as an error's details show them, and how many there are."""
    errors = [
        {name: value for name, value in asdict(fault).items() if value is not None}
        | {"code": fault.code.name}
        for fault in faults
    ]
    return {"errors": errors, "total_errors": len(errors)}
