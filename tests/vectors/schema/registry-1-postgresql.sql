-- The tables of the registry in version 1, as releases before schema versions made them. Frozen.

CREATE TABLE organisations (
    id SERIAL NOT NULL,
    name VARCHAR NOT NULL,
    description TEXT NOT NULL,
    website VARCHAR NOT NULL,
    email VARCHAR NOT NULL,
    phone VARCHAR NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (name)
);

CREATE TABLE reports (
    id VARCHAR COLLATE "C" NOT NULL,
    kind VARCHAR NOT NULL,
    received_at BIGINT NOT NULL,
    role_id INTEGER NOT NULL,
    event_type VARCHAR NOT NULL,
    request_id VARCHAR NOT NULL,
    loan_application_id VARCHAR NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE signing_keys (
    kid VARCHAR COLLATE "C" NOT NULL,
    pem TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    retired_at BIGINT,
    published_until BIGINT,
    PRIMARY KEY (kid)
);

CREATE TABLE participant_roles (
    id SERIAL NOT NULL,
    organisation_id INTEGER NOT NULL,
    role VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    base_url VARCHAR NOT NULL,
    client_id VARCHAR NOT NULL,
    secret_hash VARCHAR,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    approved_at BIGINT,
    approved_by VARCHAR NOT NULL,
    status_because TEXT NOT NULL,
    offboarded_at BIGINT,
    PRIMARY KEY (id),
    FOREIGN KEY(organisation_id) REFERENCES organisations (id),
    UNIQUE (client_id)
);

CREATE INDEX ix_participant_roles_organisation_id ON participant_roles (organisation_id);

CREATE TABLE products (
    id SERIAL NOT NULL,
    created_by INTEGER,
    name VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    is_private BOOLEAN NOT NULL,
    is_end_use_controlled BOOLEAN NOT NULL,
    is_collection_controlled BOOLEAN NOT NULL,
    is_aa_flow_required BOOLEAN NOT NULL,
    is_monitoring_consent_required BOOLEAN NOT NULL,
    is_derived_data_partner_required BOOLEAN NOT NULL,
    derived_data_description TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(created_by) REFERENCES participant_roles (id)
);

CREATE TABLE role_certificates (
    role_id INTEGER NOT NULL,
    thumbprint VARCHAR NOT NULL,
    pem TEXT NOT NULL,
    PRIMARY KEY (role_id, thumbprint),
    FOREIGN KEY(role_id) REFERENCES participant_roles (id)
);

CREATE TABLE role_keys (
    role_id INTEGER NOT NULL,
    place INTEGER NOT NULL,
    kid VARCHAR NOT NULL,
    thumbprint VARCHAR NOT NULL,
    pem TEXT NOT NULL,
    PRIMARY KEY (role_id, place),
    FOREIGN KEY(role_id) REFERENCES participant_roles (id)
);

CREATE INDEX ix_role_keys_kid ON role_keys (kid);

CREATE INDEX ix_role_keys_thumbprint ON role_keys (thumbprint);

CREATE TABLE server_whitelisting_items (
    id SERIAL NOT NULL,
    role_id INTEGER NOT NULL,
    ip_address VARCHAR NOT NULL,
    port_number VARCHAR NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (role_id, ip_address, port_number),
    FOREIGN KEY(role_id) REFERENCES participant_roles (id)
);

CREATE TABLE product_networks (
    id SERIAL NOT NULL,
    created_by INTEGER,
    product_id INTEGER NOT NULL,
    name VARCHAR NOT NULL,
    description VARCHAR NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(created_by) REFERENCES participant_roles (id),
    FOREIGN KEY(product_id) REFERENCES products (id)
);

CREATE INDEX ix_product_networks_product_id ON product_networks (product_id);

CREATE TABLE lender_network_filters (
    id SERIAL NOT NULL,
    network_id INTEGER NOT NULL,
    role_id INTEGER NOT NULL,
    requirement_name VARCHAR NOT NULL,
    operator VARCHAR NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(network_id) REFERENCES product_networks (id),
    FOREIGN KEY(role_id) REFERENCES participant_roles (id)
);

CREATE INDEX ix_lender_network_filters_network_id ON lender_network_filters (network_id);

CREATE INDEX ix_lender_network_filters_role_id ON lender_network_filters (role_id);

CREATE TABLE product_network_members (
    network_id INTEGER NOT NULL,
    role_id INTEGER NOT NULL,
    PRIMARY KEY (network_id, role_id),
    FOREIGN KEY(network_id) REFERENCES product_networks (id),
    FOREIGN KEY(role_id) REFERENCES participant_roles (id)
);

CREATE INDEX ix_product_network_members_role_id ON product_network_members (role_id);
