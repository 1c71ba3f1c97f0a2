"""The sandbox's keys and certificates: one authority, and for each organisation a TLS certificate and two signing keys.

    ca.pem, ca.key                         the authority
    participants.json                      the directory that all sides load: public material only
    <organisation>/identity.json           what a node loads to know itself
    <organisation>/tls.pem, tls.key        TLS certificate, for serving and calling alike, and its key
    <organisation>/tls.next.pem, .key      a renewed one that waits until counterparties know it
    <organisation>/signing.key, .pub.pem   the JWS key in use
    <organisation>/backup.key, .pub.pem    the second key, for rotation (OCEN v3 Security, Onboarding Process)

What exists is kept and what is missing is made; a key is never written over. Meant for one process at a time.
"""
