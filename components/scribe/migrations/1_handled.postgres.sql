CREATE TABLE handled (
    seq bigserial PRIMARY KEY,
    n bigint NOT NULL UNIQUE
);
