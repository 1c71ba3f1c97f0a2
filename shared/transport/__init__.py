"""The network: TLS, the HTTP server, the HTTP transport of the client. Nothing here is OCEN."""
