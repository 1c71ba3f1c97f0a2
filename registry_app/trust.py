"""Which client certificates the registry's TLS takes, beside those from trusted issuers.

A participant that has applied, or is under review, may connect too: only over a connection can it be told that it is
not approved. It gets no more than a caller without a certificate: tokens and look-ups need approval.
"""

from collections.abc import Sequence

from cryptography import x509

from shared.node.onboarding.certificates import folded_name


def client_trust(issuers: str, served: Sequence[str], applying: Sequence[str]) -> str:
    """Return as one PEM text the issuers, the certificates of those that are served, and of those that apply.

    Of those that apply none is taken that bears an issuer's name, for OpenSSL would take it for that issuer and refuse
    others; see `seems_to_issue`. Where the issuers cannot be read here, none is taken at all.
    """
    try:
        authorities = x509.load_pem_x509_certificates(issuers.encode()) if issuers.strip() else []
        names = {folded_name(authority.subject) for authority in authorities}
        leaves = {pem: x509.load_pem_x509_certificate(pem.encode()) for pem in (*served, *applying)}
        for certificate in (*authorities, *leaves.values()):
            if (issuer := folded_name(certificate.issuer)) != folded_name(certificate.subject):
                names.add(issuer)
        harmless = [pem for pem in applying if folded_name(leaves[pem].subject) not in names]
    except ValueError:
        harmless = []
    return "\n".join([issuers, *served, *harmless])
