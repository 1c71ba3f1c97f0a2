"""Onboarding, and the life of keys and certificates afterwards: ours and our counterparties'."""
