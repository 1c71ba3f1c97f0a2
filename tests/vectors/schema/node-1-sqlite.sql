-- The tables of the node in version 1, as releases before schema versions made them. Frozen.

CREATE TABLE attempts (
    outbox_id VARCHAR NOT NULL,
    started_at BIGINT NOT NULL,
    milliseconds FLOAT NOT NULL,
    trace_id VARCHAR NOT NULL,
    kid VARCHAR NOT NULL,
    certificate VARCHAR NOT NULL,
    outcome VARCHAR NOT NULL,
    status INTEGER,
    reason VARCHAR NOT NULL,
    sent BLOB NOT NULL,
    signature TEXT NOT NULL,
    answer BLOB NOT NULL,
    answer_signature TEXT NOT NULL,
    steps TEXT NOT NULL,
    PRIMARY KEY (outbox_id, started_at)
);

CREATE TABLE inbox (
    id VARCHAR NOT NULL,
    sender VARCHAR NOT NULL,
    request_id VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    trace_id VARCHAR NOT NULL,
    kid VARCHAR NOT NULL,
    certificate VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    received_at BIGINT NOT NULL,
    content_digest BLOB NOT NULL,
    raw BLOB NOT NULL,
    signature TEXT NOT NULL,
    ack BLOB NOT NULL,
    ack_signature TEXT NOT NULL,
    steps TEXT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (request_id, sender)
);

CREATE TABLE journeys (
    "key" VARCHAR NOT NULL,
    participant VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    state TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY ("key")
);

CREATE INDEX ix_journeys_expires_at ON journeys (expires_at);

CREATE TABLE key_events (
    kid VARCHAR NOT NULL,
    at BIGINT NOT NULL,
    status VARCHAR NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (kid, at)
);

CREATE TABLE nonces (
    "key" VARCHAR NOT NULL,
    PRIMARY KEY ("key")
)
 WITHOUT ROWID;

CREATE TABLE notices (
    id VARCHAR NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    recipient VARCHAR NOT NULL,
    reference VARCHAR NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE INDEX ix_notices_expires_at ON notices (expires_at);

CREATE TABLE outbox (
    id VARCHAR NOT NULL,
    receiver VARCHAR NOT NULL,
    request_id VARCHAR NOT NULL,
    message VARCHAR NOT NULL,
    content TEXT NOT NULL,
    state VARCHAR NOT NULL,
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    driven_at BIGINT NOT NULL,
    tries INTEGER NOT NULL,
    result VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (request_id, receiver, message)
);

CREATE INDEX outbox_due ON outbox (receiver, due_at) WHERE state IN ('WAITING', 'SENDING');

CREATE INDEX outbox_given_up ON outbox (id) WHERE state IN ('DEAD', 'REFUSED');

CREATE TABLE participant_certificates (
    organisation_id VARCHAR NOT NULL,
    thumbprint VARCHAR NOT NULL,
    registered_at BIGINT NOT NULL,
    removed_at BIGINT,
    removed_because TEXT NOT NULL,
    pem TEXT NOT NULL,
    PRIMARY KEY (organisation_id, thumbprint, registered_at)
);

CREATE TABLE participant_keys (
    kid VARCHAR NOT NULL,
    organisation_id VARCHAR NOT NULL,
    algorithm VARCHAR NOT NULL,
    thumbprint VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    pem TEXT NOT NULL,
    PRIMARY KEY (kid),
    UNIQUE (thumbprint)
);

CREATE INDEX ix_participant_keys_organisation_id ON participant_keys (organisation_id);

CREATE TABLE participants (
    organisation_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    base_url VARCHAR NOT NULL,
    envelope_member VARCHAR NOT NULL,
    ip_addresses TEXT NOT NULL,
    judges_addresses BOOLEAN NOT NULL,
    spoc_email VARCHAR NOT NULL,
    spoc_phone VARCHAR NOT NULL,
    stated TEXT,
    onboarded_at BIGINT NOT NULL,
    offboarded_at BIGINT,
    offboarded_because TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (organisation_id)
);

CREATE TABLE peers (
    participant_id VARCHAR NOT NULL,
    dialect VARCHAR NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (participant_id)
);

CREATE TABLE refusals (
    id VARCHAR NOT NULL,
    received_at BIGINT NOT NULL,
    peer VARCHAR NOT NULL,
    address VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    request_id VARCHAR NOT NULL,
    trace_id VARCHAR NOT NULL,
    error VARCHAR NOT NULL,
    reason TEXT NOT NULL,
    steps TEXT NOT NULL,
    raw BLOB NOT NULL,
    signature TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE registry_keys (
    participant_id VARCHAR NOT NULL,
    kid VARCHAR NOT NULL,
    thumbprint VARCHAR NOT NULL,
    pem TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    PRIMARY KEY (participant_id, kid, thumbprint)
);
