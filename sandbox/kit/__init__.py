"""The starter kit of an integrator: a folder with keys, keystores, forms, scripts and a page that says what each is."""

from sandbox.kit.folder import make_kit

__all__ = ["make_kit"]
