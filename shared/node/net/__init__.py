"""The network under the protocol: TLS and its trust, the HTTP server, the HTTP transport of the client."""
