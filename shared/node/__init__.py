"""What every participant is made of: TLS, signed exchange, journal, courier, operator plane, composition root."""
