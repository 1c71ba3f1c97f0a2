"""The keys of the onboarding form: public keys in whatever form they come, each under its kid."""

from pydantic import ValidationError

from shared.node.onboarding.fields import FieldError, shown
from shared.node.onboarding.record import KeyRecord
from shared.protocol.encoding import EncodingError, parse_json_object
from shared.protocol.participants import KeyStatus
from shared.protocol.signing import RS512, KeyMaterialError, load_public_key


def checked_keys(
    first: str, first_kid: str, second: str, second_kid: str, errors: list[FieldError], *, algorithm: str = RS512
) -> list[KeyRecord]:
    """Return the one or two keys of a form: the key in use, then the back-up, each as SPKI in PEM.

    A JWK set in place of the first key may hold both, with kids of their own. `algorithm` is what they are used with.
    """
    kids = jwk_kids(first)
    if not second.strip() and not first_kid.strip() and len(kids) == 2:
        second, first_kid, second_kid = first, *kids
    keys = [checked_key("public_key", "kid", first, first_kid.strip(), errors, algorithm=algorithm)]
    if second.strip() or second_kid.strip():
        keys.append(
            checked_key("backup_public_key", "backup_kid", second, second_kid.strip(), errors, algorithm=algorithm)
        )
    usable = [key for key in keys if key is not None]
    if len(usable) == 2:
        _refuse_twins(usable[0], usable[1], errors)
        usable[1] = usable[1].model_copy(update={"status": KeyStatus.BACKUP})
    return usable


def checked_key(
    field: str, kid_field: str, material: str, kid: str, errors: list[FieldError], *, algorithm: str = RS512
) -> KeyRecord | None:
    """Return one public key under its kid, or None where the key or the kid is an error."""
    if not material.strip():
        errors.append(FieldError(field, "empty", "give the public key: openssl rsa -in private.pem -pubout"))
        return None
    own = jwk_kids(material)
    kid = kid or (own[0] if len(own) == 1 else "")
    try:
        key = load_public_key(material, algorithm, kid or None)
    except KeyMaterialError as error:
        errors.append(FieldError(field, *_halves(str(error))))
        return None
    try:
        return KeyRecord(kid=kid, pem=key.to_pem())
    except ValidationError:
        found = f"{shown(kid)} cannot be a kid" if kid else "empty"
        errors.append(FieldError(kid_field, found, "give 1 to 128 printable ASCII characters, such as a UUID"))
        return None


def jwk_kids(material: str) -> list[str]:
    """Return the kids that a JWK or the keys of a JWK set bear; none where it is something else."""
    try:
        document = parse_json_object(material.strip().encode())
    except (EncodingError, UnicodeEncodeError):
        return []
    keys = document.get("keys", [document])
    found = [key.get("kid") for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
    return [kid for kid in found if isinstance(kid, str)]


def _refuse_twins(first: KeyRecord, second: KeyRecord, errors: list[FieldError]) -> None:
    if first.kid == second.kid:
        errors.append(FieldError("backup_kid", f"{second.kid}, like the first key's", "give each key a kid of its own"))
    if first.pem == second.pem:
        errors.append(FieldError("backup_public_key", "the same key as public_key", "a back-up has to be another key"))


def _halves(sentence: str) -> tuple[str, str]:
    """Split what a key's refusal says into what was found and what to do."""
    found, _, hint = sentence.partition("; ")
    return found, hint or "give an RSA public key of 2048 bits"
