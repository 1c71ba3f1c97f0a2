"""What a participant's fields may be changed to: the rules are those of the onboarding form."""

from pathlib import Path

import pytest

from shared.node.onboarding.fields import FormError
from shared.node.onboarding.requested_changes import amended
from tests.node.operated import lender_record


def test_a_base_url_is_changed_to_what_stands_before_the_version(tmp_path: Path) -> None:
    changed = amended({"base_url": "https://localhost/ocen/v3/loan"})(lender_record(tmp_path))
    assert changed.base_url == "https://localhost/ocen"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://bank.example", "base_url: 'http://bank.example' is not encrypted: give one that begins with https://"),
        (
            "https://bank.example",
            "no certificate of LENDER01 for serving names the host of https://bank.example: register",
        ),
        ("https://bank_1.example", "base_url: 'https://bank_1.example' is not one: give one such as"),
    ],
)
def test_a_base_url_that_a_form_could_not_have_is_refused_with_what_to_do(url: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(FormError, match="base_url") as caught:
        amended({"base_url": url})(lender_record(tmp_path))
    assert said in str(caught.value)
