"""The onboarding form as a file: read strictly, written with its PEM files beside it, and as a template to fill in."""

from sandbox.forms.reading import read_form
from sandbox.forms.writing import form_text, save_form, template

__all__ = ["form_text", "read_form", "save_form", "template"]
