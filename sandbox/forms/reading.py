"""Read a form in YAML or JSON, and report everything that is wrong with it at once."""

import difflib
from datetime import datetime
from errno import EINVAL, EPERM
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox.errors import SandboxError
from sandbox.forms.writing import IN_FILES, file_field
from shared.node.onboarding.fields import FieldError, FormError
from shared.node.onboarding.form import OnboardingForm, record_of
from shared.protocol.encoding import EncodingError, kind_of, parse_json_object
from shared.protocol.phases import MAX_BODY_BYTES

FIELDS: Final = tuple(OnboardingForm.model_fields)
LIST_FIELD: Final = "ip_addresses"
_NULL: Final = "tag:yaml.org,2002:null"
_TEMPLATE: Final = "`ocen-sandbox onboard --template` writes a form"


def read_form(text: str, source: str, folder: Path, now: datetime) -> OnboardingForm:
    """Read and judge a form; `source` is its name for people, files that it names are looked for in `folder`.

    `now` (aware) is when its certificate has to be valid.

    Raises:
        SandboxError: neither YAML nor JSON, or no mapping of fields.
        FormError: everything else that is wrong, field by field.
    """
    errors: list[FieldError] = []
    written = _json(text, source) if text.lstrip().startswith("{") else _yaml(text, source, errors)
    values = {field: _value(field, value, errors) for field, value in written.items()}
    _refuse_unknown(values, errors)
    fields = {field: values[field] for field in FIELDS if field in values}
    for field in IN_FILES:
        if values.get(file_field(field)):
            fields[field] = _from_file(field, values, folder, errors)
    form = OnboardingForm.model_validate(fields)
    told = {error.field.removesuffix("_file") for error in errors}
    try:
        record_of(form, now)
    except FormError as error:
        errors += [found for found in error.errors if found.field not in told]
    if errors:
        raise FormError(errors)
    return form


def _json(text: str, source: str) -> dict[str, Any]:
    try:
        return parse_json_object(text.strip().encode())
    except EncodingError as error:
        raise SandboxError(f"{source}: {error}: give one JSON object or YAML; {_TEMPLATE}") from error


def _yaml(text: str, source: str, errors: list[FieldError]) -> dict[str, Any]:
    """Read a mapping as it is written: a text that looks like a number stays the text it is."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SandboxError(f"{source}: line {line}: {error.problem}: is no YAML; {_TEMPLATE}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SandboxError(f"{source} is no YAML that can be read: {_TEMPLATE}") from error
    if not isinstance(node, yaml.MappingNode):
        raise SandboxError(f"{source} has no fields: write `field: value` on each line; {_TEMPLATE}")
    written: dict[str, Any] = {}
    for key, value in node.value:
        field = key.value if isinstance(key, yaml.ScalarNode) else "(no text)"
        if field in written:
            found = f"stands a second time in line {key.start_mark.line + 1}"
            errors.append(FieldError(field, found, "write each field once"))
            continue
        written[field] = _plain(value)
    return written


def _plain(node: Any) -> Any:
    """Return text as text, a list of texts as a list, and None for what a form has no use for."""
    if isinstance(node, yaml.ScalarNode):
        return "" if node.tag == _NULL else node.value
    if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        return [item.value for item in node.value]
    return {}


def _value(field: str, value: Any, errors: list[FieldError]) -> Any:
    if field == LIST_FIELD:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        if value not in ("", None):
            errors.append(FieldError(field, "no list of texts", 'write a list, ["10.0.0.5", "10.0.1.0/28"]'))
        return []
    if isinstance(value, str) or value is None:
        return value or ""
    if field in FIELDS:
        errors.append(FieldError(field, f"{kind_of(value)} where a text belongs", "write it in quotes, on one line"))
    return ""


def _refuse_unknown(values: dict[str, Any], errors: list[FieldError]) -> None:
    known = [*FIELDS, *map(file_field, IN_FILES)]
    for field in values:
        if field not in known:
            near = difflib.get_close_matches(field, known, 1)
            hint = f"write {near[0]}" if near else f"remove it; {_TEMPLATE} with all that there are"
            errors.append(FieldError(field[:64], "no field of the form", hint))


def _from_file(field: str, values: dict[str, Any], folder: Path, errors: list[FieldError]) -> str:
    named = file_field(field)
    place: Path = folder / values[named]
    if values.get(field):
        errors.append(FieldError(named, f"stands beside {field}", "give one of the two"))
        return str(values[field])
    try:
        return _content(place, folder).decode("utf-8")
    except OSError as error:
        errors.append(FieldError(named, f"{place} cannot be read ({error.strerror})", "name a file beside the form"))
    except UnicodeDecodeError:
        errors.append(FieldError(named, f"{place} is no text", "give PEM; DER becomes it with -inform DER of openssl"))
    return ""


def _content(place: Path, folder: Path) -> bytes:
    """Read a file that a form names. A form comes from a stranger, so only files beside it are read.

    Raises OSError if there is no such file beside the form, or it is a device, or cannot be read.
    """
    try:
        is_beside = place.resolve().is_relative_to(folder.resolve())
    except ValueError as error:
        raise OSError(EINVAL, "no file has such a name") from error
    if not is_beside:
        raise OSError(EPERM, "it does not lie beside the form")
    if place.exists() and not place.is_file():
        raise OSError(EINVAL, "it is no plain file")
    with place.open("rb") as file:
        return file.read(MAX_BODY_BYTES)
