-- The host's own tables and functions for one component. {{schema}} is the host's schema, {{guest}} the role that guests'
-- statements run as, {{digest}} the SHA-256 of the key that only the host has. Guests' connections log in as {{guest}},
-- which may call these functions and touch no table; without the key they do nothing.
CREATE TABLE {{schema}}.hull_kv (
    key text COLLATE "C" PRIMARY KEY,
    value bytea NOT NULL
);
CREATE SEQUENCE {{schema}}.hull_seq;
CREATE TABLE {{schema}}.hull_outbox (
    seq bigint PRIMARY KEY DEFAULT nextval('{{schema}}.hull_seq'),
    due_ms bigint NOT NULL,
    id text NOT NULL,
    subject text NOT NULL,
    time text NOT NULL,
    headers text NOT NULL,
    payload bytea NOT NULL
);
CREATE INDEX hull_outbox_due ON {{schema}}.hull_outbox (due_ms, seq);
CREATE TABLE {{schema}}.hull_handled (
    id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    content_hash bytea NOT NULL,
    handled_ms bigint NOT NULL,
    PRIMARY KEY (id, source)
);
CREATE TABLE {{schema}}.hull_attempts (
    id text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    attempts bigint NOT NULL,
    reason text NOT NULL,
    failed_ms bigint NOT NULL,
    PRIMARY KEY (id, source)
);
CREATE TABLE {{schema}}.hull_dead_letters (
    letter bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind bigint NOT NULL,
    id text NOT NULL,
    source text NOT NULL,
    content_hash bytea NOT NULL,
    subject text NOT NULL,
    time text NOT NULL,
    headers text NOT NULL,
    payload bytea NOT NULL,
    reason text NOT NULL,
    attempts bigint NOT NULL,
    died_ms bigint NOT NULL,
    UNIQUE (id, source, content_hash, kind)
);
CREATE TABLE {{schema}}.hull_migrations (
    number bigint PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_ms bigint NOT NULL
);
-- Whose relay it is that publishes: it holds a lock on this table, which guests can neither take nor see.
CREATE TABLE {{schema}}.hull_relay ();

CREATE FUNCTION {{schema}}.hull_check(key bytea) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF sha256(key) <> '\x{{digest}}' THEN
        RAISE insufficient_privilege USING MESSAGE = 'this function belongs to the host';
    END IF;
END $$;

CREATE FUNCTION {{schema}}.hull_get(key bytea, wanted text) RETURNS bytea
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {{schema}}.hull_check(key);
    RETURN (SELECT kv.value FROM {{schema}}.hull_kv kv WHERE kv.key = wanted);
END $$;

CREATE FUNCTION {{schema}}.hull_get_many(key bytea, wanted text[]) RETURNS TABLE (found text, value bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {{schema}}.hull_check(key);
    RETURN QUERY SELECT kv.key, kv.value FROM {{schema}}.hull_kv kv WHERE kv.key = ANY (wanted);
END $$;

CREATE FUNCTION {{schema}}.hull_list(key bytea, after text, page bigint) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {{schema}}.hull_check(key);
    RETURN QUERY SELECT kv.key FROM {{schema}}.hull_kv kv WHERE kv.key > after COLLATE "C" ORDER BY kv.key LIMIT page;
END $$;

CREATE FUNCTION {{schema}}.hull_set(key bytea, names text[], contents bytea[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {{schema}}.hull_check(key);
    -- In the order of keys, so that two batches do not wait for one another.
    INSERT INTO {{schema}}.hull_kv AS kv (key, value)
    SELECT name, content FROM unnest(names, contents) AS given (name, content) ORDER BY name COLLATE "C"
    ON CONFLICT ON CONSTRAINT hull_kv_pkey DO UPDATE SET value = excluded.value;
END $$;

CREATE FUNCTION {{schema}}.hull_delete(key bytea, names text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {{schema}}.hull_check(key);
    DELETE FROM {{schema}}.hull_kv kv WHERE kv.key = ANY (names);
END $$;

CREATE FUNCTION {{schema}}.hull_increment(key bytea, name text, delta bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    sum bigint;
BEGIN
    PERFORM {{schema}}.hull_check(key);
    INSERT INTO {{schema}}.hull_kv AS kv (key, value) VALUES (name, convert_to(delta::text, 'UTF8'))
    ON CONFLICT ON CONSTRAINT hull_kv_pkey
    DO UPDATE SET value = convert_to((convert_from(kv.value, 'UTF8')::bigint + delta)::text, 'UTF8')
    RETURNING convert_from(kv.value, 'UTF8')::bigint INTO sum;
    RETURN sum;
END $$;

CREATE FUNCTION {{schema}}.hull_swap(key bytea, name text, expected bytea, content bytea)
RETURNS TABLE (done boolean, present bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {{schema}}.hull_check(key);
    IF expected IS NULL THEN
        INSERT INTO {{schema}}.hull_kv AS kv (key, value) VALUES (name, content)
        ON CONFLICT ON CONSTRAINT hull_kv_pkey DO NOTHING;
    ELSE
        UPDATE {{schema}}.hull_kv kv SET value = content WHERE kv.key = name AND kv.value = expected;
    END IF;
    done := FOUND;
    present := (SELECT kv.value FROM {{schema}}.hull_kv kv WHERE kv.key = name);
    RETURN NEXT;
END $$;

CREATE FUNCTION {{schema}}.hull_publish(
    key bytea, due bigint[], ids text[], subjects text[], times text[], heads text[], payloads bytea[]
) RETURNS SETOF bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {{schema}}.hull_check(key);
    RETURN QUERY INSERT INTO {{schema}}.hull_outbox (due_ms, id, subject, time, headers, payload)
    SELECT given.due, given.id, given.subject, given.time, given.head, given.payload
    FROM unnest(due, ids, subjects, times, heads, payloads) WITH ORDINALITY
        AS given (due, id, subject, time, head, payload, place)
    ORDER BY given.place RETURNING seq;
END $$;

-- An event that is handled already ends the transaction with HU001, an id with other content with HU002.
CREATE FUNCTION {{schema}}.hull_mark(key bytea, event text, origin text, hash bytea, now_ms bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {{schema}}.hull_check(key);
    INSERT INTO {{schema}}.hull_handled (id, source, content_hash, handled_ms) VALUES (event, origin, hash, now_ms)
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        IF (SELECT h.content_hash FROM {{schema}}.hull_handled h WHERE h.id = event AND h.source = origin) = hash THEN
            RAISE SQLSTATE 'HU001' USING MESSAGE = 'handled already';
        END IF;
        RAISE SQLSTATE 'HU002' USING MESSAGE = 'seen before with other content';
    END IF;
    DELETE FROM {{schema}}.hull_attempts a WHERE a.id = event AND a.source = origin;
    DELETE FROM {{schema}}.hull_dead_letters d
    WHERE d.id = event AND d.source = origin AND d.content_hash = hash AND d.kind = 0;
END $$;

CREATE FUNCTION {{schema}}.hull_migrated(key bytea, place bigint, title text, digest text, now_ms bigint) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM {{schema}}.hull_check(key);
    INSERT INTO {{schema}}.hull_migrations (number, name, sha256, applied_ms) VALUES (place, title, digest, now_ms)
    ON CONFLICT DO NOTHING;
    RETURN FOUND;
END $$;

-- Bytes of everything that is the component's, with what is not committed yet.
CREATE FUNCTION {{schema}}.hull_bytes() RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ({{schema_text}}, {{guest_schema_text}}) AND c.relkind IN ('r', 'm', 'S')
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {{schema}} FROM PUBLIC;
GRANT USAGE ON SCHEMA {{schema}} TO {{guest}};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {{schema}} TO {{guest}};
