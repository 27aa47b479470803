"""What signer and verifiers of access tokens agree on."""

ISSUER = "sigmasight"
ALGORITHM = "EdDSA"
"""Ed25519 signatures in JSON Web Tokens (RFC 8037)."""
