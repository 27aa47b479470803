"""Access tokens and the keys that sign them: Ed25519 (RFC 8032) in JWTs (RFC 8037).

Private keys are kept sealed with a key derived from SECRET_KEY (HKDF-SHA256, then Fernet), so a
copy of the database alone signs nothing.
"""

import base64
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any
from uuid import UUID

import jwt
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from jwt.algorithms import OKPAlgorithm

from auth.domain.accounts import Session, User
from common.claims import ALGORITHM, ISSUER


@dataclass(frozen=True)
class SigningKey:
    """A key pair; the id says which one signed a token."""

    id: str
    private_key: Ed25519PrivateKey

    def public_jwk(self) -> dict[str, Any]:
        """Return the public half as a JSON Web Key."""
        jwk = OKPAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        return {**jwk, "kid": self.id, "alg": ALGORITHM, "use": "sig"}

    def sealed(self, secret: str) -> bytes:
        """Return the private half, readable only with the secret."""
        raw = self.private_key.private_bytes(
            serialization.Encoding.Raw,
            serialization.PrivateFormat.Raw,
            serialization.NoEncryption(),
        )
        return _fernet(secret).encrypt(raw)


@dataclass(frozen=True)
class KeyRing:
    """The key that signs, and the public halves of all whose tokens may still be around."""

    signing: SigningKey
    public_keys: tuple[dict[str, Any], ...]

    def token(
        self, user: User, session: Session, portfolio_id: UUID | None, issued_at: datetime
    ) -> str:
        """Return an access token that ends with its session."""
        claims = {
            "iss": ISSUER,
            "sub": str(user.id),
            "email": user.email,
            "role": user.role,
            "sid": str(session.id),
            "portfolio_id": None if portfolio_id is None else str(portfolio_id),
            "iat": int(issued_at.timestamp()),
            "exp": int(session.expires_at.timestamp()),
        }
        return jwt.encode(
            claims,
            self.signing.private_key,
            algorithm=ALGORITHM,
            headers={"kid": self.signing.id},
        )


def new_key() -> SigningKey:
    """Return a fresh key pair."""
    return SigningKey(token_hex(8), Ed25519PrivateKey.generate())


def unseal(key_id: str, sealed: bytes, secret: str) -> SigningKey | None:
    """Return a kept key pair, or None when it was sealed with another secret."""
    try:
        raw = _fernet(secret).decrypt(sealed)
    except InvalidToken:
        return None
    return SigningKey(key_id, Ed25519PrivateKey.from_private_bytes(raw))


def _fernet(secret: str) -> Fernet:
    derived = HKDF(
        algorithm=hashes.SHA256(), length=32, salt=None, info=b"sigmasight auth signing keys"
    ).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
