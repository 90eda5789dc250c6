"""Signing a checkpoint with a key of one's own (Ed25519), and telling who signed one.

The signature is over the card, which holds the hashes of the other files. A public key means
what the person who trusts it under a name makes it mean: there is no register behind it.
"""

import hashlib
import json
import re
from pathlib import Path

from emoviz.checkpoints import CARD
from emoviz.errors import CheckpointError
from emoviz.files import read_json, write_json
from emoviz.settings import Settings

SIGNATURE = "signature.json"
_KEY = re.compile(r"[0-9a-f]{64}")


def sign(folder: Path, key_file: Path) -> str:
    """Sign a checkpoint; the key is made where there is none yet, for its owner's eyes alone.

    Returns:
        The public key, 64 hexadecimal digits, to give to those who should know it.

    Raises:
        CheckpointError: The file is no Ed25519 key.
        OSError: A file cannot be read or written.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not key_file.exists():
        key_file.touch(mode=0o600)
        made = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        key_file.write_bytes(made)
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise CheckpointError(f"{key_file} is no Ed25519 key without a password, as PEM.")
    public = key.public_key().public_bytes_raw().hex()
    signature = key.sign(_message(folder)).hex()
    write_json(folder / SIGNATURE, {"public_key": public, "signature": signature})
    return public


def signed_by(folder: Path) -> str:
    """The public key that signed a checkpoint's card; empty where it is unsigned.

    Raises:
        CheckpointError: There is a signature and it does not fit.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not (folder / SIGNATURE).exists():
        return ""
    given = read_json(folder / SIGNATURE) or {}
    public, signature = str(given.get("public_key", "")), str(given.get("signature", ""))
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), _message(folder))
    except (InvalidSignature, ValueError):
        raise CheckpointError(
            f"Checkpoint '{folder.name}' is refused: its signature does not fit its card. One of "
            "the two was changed afterwards."
        ) from None
    return public


def trust_key(name: str, public_key: str, settings: Settings) -> None:
    """Know a public key by a name from now on.

    Raises:
        CheckpointError: It is no public key.
    """
    if not _KEY.fullmatch(public_key):
        raise CheckpointError("A public key is 64 hexadecimal digits, as `sign` printed them.")
    write_json(_keys(settings), {**trusted_keys(settings), public_key: name})


def trusted_keys(settings: Settings) -> dict[str, str]:
    """Names by public keys, as this person gave them."""
    return {key: str(name) for key, name in (read_json(_keys(settings)) or {}).items()}


def _keys(settings: Settings) -> Path:
    return settings.home / "trusted-keys.json"


def _message(folder: Path) -> bytes:
    card = hashlib.sha256((folder / CARD).read_bytes()).hexdigest()
    return json.dumps({"emoviz checkpoint card": card}).encode()
