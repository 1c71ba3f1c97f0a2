"""The Auth Service: access tokens for clients, and the keys that they are signed with."""
