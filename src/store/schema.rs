// @generated automatically by Diesel CLI.

diesel::table! {
    agreements (name) {
        name -> Text,
        document -> Text,
        updated_at -> BigInt,
    }
}

diesel::table! {
    announced (platform_id) {
        platform_id -> Text,
        digest -> Text,
        failures -> BigInt,
        not_before -> BigInt,
    }
}

diesel::table! {
    answers (holder, key) {
        holder -> Text,
        key -> Text,
        digest -> Text,
        status -> BigInt,
        location -> Nullable<Text>,
        body -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    attempts (id) {
        id -> Text,
        cdr -> Text,
        at -> BigInt,
        http_status -> Nullable<BigInt>,
        status_code -> Nullable<BigInt>,
        outcome -> Text,
    }
}

diesel::table! {
    audit_checkpoints (name) {
        name -> Text,
        document -> Text,
    }
}

diesel::table! {
    audit_log (seq) {
        seq -> BigInt,
        entry -> Text,
        hash -> Text,
    }
}

diesel::table! {
    case_cdrs (case_id, cdr) {
        case_id -> Text,
        cdr -> Text,
    }
}

diesel::table! {
    case_findings (case_id, cdr, code) {
        case_id -> Text,
        cdr -> Text,
        code -> Text,
        message -> Text,
        found_at -> BigInt,
    }
}

diesel::table! {
    cases (id) {
        id -> Text,
        cpo_key -> Text,
        subject_kind -> Text,
        subject -> Text,
        shown_as -> Text,
        last_good -> Nullable<Text>,
        opened_at -> BigInt,
        closed_at -> Nullable<BigInt>,
        closed_by -> Nullable<Text>,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    cdrs (id) {
        id -> Text,
        country_code -> Text,
        party_id -> Text,
        cpo_key -> Text,
        cdr_id -> Text,
        cdr_key -> Text,
        revision -> BigInt,
        emsp_country_code -> Text,
        emsp_party_id -> Text,
        emsp_key -> Text,
        cpo_platform -> Text,
        emsp_platform -> Text,
        version -> Text,
        content_digest -> Text,
        received_at -> BigInt,
        last_updated -> BigInt,
        visible_at -> Nullable<BigInt>,
        listed_at -> Nullable<BigInt>,
        metering_status -> Text,
        billable -> BigInt,
        delivery -> Text,
        location_id -> Text,
        receiver_location -> Nullable<Text>,
        correlation_id -> Text,
        credit_reference -> Nullable<Text>,
        marker -> Nullable<Text>,
        first_answer -> Nullable<Text>,
    }
}

diesel::table! {
    confirmations (duty) {
        duty -> Text,
        registration -> Text,
        url -> Text,
        body -> Text,
        state -> Text,
        attempts -> BigInt,
        last_at -> Nullable<BigInt>,
        last_outcome -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    contracts (id) {
        id -> Text,
        grantor_key -> Text,
        document -> Text,
        updated_at -> BigInt,
        secret -> Text,
        is_configured -> BigInt,
    }
}

diesel::table! {
    controls (cpo_key, session_key) {
        cpo_key -> Text,
        session_key -> Text,
        id -> Text,
        revision -> BigInt,
        is_steered -> BigInt,
        is_over -> BigInt,
        document -> Text,
        expires_at -> BigInt,
        copy -> Nullable<Text>,
        copy_until -> BigInt,
    }
}

diesel::table! {
    copies (id) {
        id -> Text,
        module -> Text,
        owner_key -> Text,
        object_key -> Text,
        revision -> BigInt,
        platform_id -> Text,
        sender -> Text,
        sender_role -> Text,
        version -> Text,
        method -> Text,
        tail -> Text,
        query -> Nullable<Text>,
        body -> Nullable<Text>,
        correlation_id -> Text,
        lease_owner -> Text,
        lease_until -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    client_info (id) {
        id -> Text,
        party_key -> Text,
        role -> Text,
        country_code -> Text,
        party_id -> Text,
        status -> Text,
        last_updated -> BigInt,
    }
}

diesel::table! {
    client_readers (platform_id) {
        platform_id -> Text,
        since -> BigInt,
    }
}

diesel::table! {
    client_views (platform_id, client_info) {
        platform_id -> Text,
        client_info -> Text,
        status -> Text,
        last_updated -> BigInt,
        revision -> BigInt,
    }
}

diesel::table! {
    hints (kind, id_key, owner_key, scope_key) {
        kind -> Text,
        id_key -> Text,
        owner_key -> Text,
        owner_country_code -> Text,
        owner_party_id -> Text,
        scope_key -> Text,
        scope_country_code -> Text,
        scope_party_id -> Text,
        seen_at -> BigInt,
        expires_at -> BigInt,
    }
}

diesel::table! {
    journal (id) {
        id -> Text,
        at -> BigInt,
        correlation_id -> Text,
        request_id -> Nullable<Text>,
        from_party -> Nullable<Text>,
        to_party -> Nullable<Text>,
        platform -> Nullable<Text>,
        module -> Text,
        method -> Text,
        object -> Nullable<Text>,
        http_status -> Nullable<BigInt>,
        status_code -> Nullable<BigInt>,
        outcome -> Text,
        duration_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    keys (id) {
        id -> Text,
        claim -> Text,
        fingerprint -> Text,
        curve -> Text,
        spki_hex -> Text,
        meter_serial -> Text,
        gateway_serial -> Nullable<Text>,
        evse_id -> Text,
        evse_uid -> Nullable<Text>,
        cpo_key -> Text,
        valid_from -> BigInt,
        valid_to -> Nullable<BigInt>,
        calibrated -> BigInt,
        state -> Text,
        created_at -> BigInt,
        deactivated_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    lent (id) {
        id -> Text,
        digest -> Text,
        kind -> Text,
        module -> Text,
        what -> Text,
        requester_platform -> Text,
        requester_country_code -> Text,
        requester_party_id -> Text,
        receiver_platform -> Text,
        receiver_country_code -> Text,
        receiver_party_id -> Text,
        url -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        object -> Text,
        acts_for -> Nullable<Text>,
    }
}

diesel::table! {
    mirror (id) {
        id -> Text,
        module -> Text,
        country_code -> Text,
        party_id -> Text,
        owner_key -> Text,
        object_id -> Text,
        object_key -> Text,
        shelf -> Text,
        version -> Text,
        last_updated -> BigInt,
        revision -> BigInt,
        deleted_at -> Nullable<BigInt>,
        listed -> BigInt,
        body -> Text,
        claims_conformity -> BigInt,
    }
}

diesel::table! {
    observations (id) {
        id -> Text,
        cpo_key -> Text,
        source -> Text,
        kind -> Text,
        name -> Text,
        evse -> Text,
        evse_id -> Nullable<Text>,
        evse_uid -> Nullable<Text>,
        public_key -> Nullable<Text>,
        curve -> Nullable<Text>,
        meter_serial -> Nullable<Text>,
        gateway_serial -> Nullable<Text>,
        first_seen -> BigInt,
        last_seen -> BigInt,
        times -> BigInt,
        last_cdr -> Nullable<Text>,
    }
}

diesel::table! {
    notices (duty) {
        duty -> Text,
        identifier -> Text,
        method -> Text,
        path -> Text,
        to_party -> Text,
        object -> Text,
        body -> Text,
        from_party -> Nullable<Text>,
        contract -> Nullable<Text>,
        whole -> Nullable<Text>,
    }
}

diesel::table! {
    octets (cdr) {
        cdr -> Text,
        body -> Text,
    }
}

diesel::table! {
    outbox (id) {
        id -> Text,
        platform_id -> Text,
        kind -> Text,
        object_id -> Text,
        revision -> BigInt,
        state -> Text,
        attempts -> BigInt,
        lease_owner -> Nullable<Text>,
        lease_until -> BigInt,
        next_attempt_at -> BigInt,
        give_up_at -> BigInt,
        created_at -> BigInt,
        last_outcome -> Nullable<Text>,
    }
}

diesel::table! {
    parties (party_key, role) {
        party_key -> Text,
        role -> Text,
        platform_id -> Text,
        country_code -> Text,
        party_id -> Text,
        name -> Text,
        business_details -> Nullable<Text>,
        status -> Text,
        updated_at -> BigInt,
    }
}

diesel::table! {
    platforms (id) {
        id -> Text,
        name -> Text,
        status -> Text,
        options -> Text,
        version -> Nullable<Text>,
        versions_url -> Nullable<Text>,
        token_out -> Nullable<Text>,
        token_form -> Text,
        endpoints -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        revision -> BigInt,
        token_sealed -> Nullable<Text>,
    }
}

diesel::table! {
    pulls (platform_id, module, party_key) {
        platform_id -> Text,
        module -> Text,
        party_key -> Text,
        url -> Text,
        date_from -> Nullable<BigInt>,
        failures -> BigInt,
        due_at -> BigInt,
        lease_owner -> Nullable<Text>,
        lease_until -> BigInt,
        last_outcome -> Nullable<Text>,
        ended_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    presence (platform_id) {
        platform_id -> Text,
        status -> Text,
        since -> BigInt,
    }
}

diesel::table! {
    presence_checks (platform_id) {
        platform_id -> Text,
        until -> BigInt,
        ended_at -> Nullable<BigInt>,
        alive -> BigInt,
    }
}

diesel::table! {
    registration_names (cpo_key, own_key) {
        cpo_key -> Text,
        own_key -> Text,
        own_id -> Text,
        registration -> Text,
    }
}

diesel::table! {
    registry_checkpoints (size) {
        size -> BigInt,
        document -> Text,
    }
}

diesel::table! {
    registry_documents (seq) {
        seq -> BigInt,
        kind -> Text,
        id -> Text,
        version -> BigInt,
        recorded_at -> BigInt,
        state -> Nullable<Text>,
        document -> Text,
    }
}

diesel::table! {
    registry_files (registration, sha256) {
        registration -> Text,
        sha256 -> Text,
        content -> Text,
        kept_at -> BigInt,
    }
}

diesel::table! {
    registry_log (seq) {
        seq -> BigInt,
        entry -> Text,
        hash -> Text,
    }
}

diesel::table! {
    registry_signer (name) {
        name -> Text,
        seed -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    secret_keys (name) {
        name -> Text,
        proof -> Text,
    }
}

diesel::table! {
    rechecks (id) {
        id -> Text,
        change -> BigInt,
        subject -> Text,
        affected -> Text,
        pass -> BigInt,
        after_end -> BigInt,
        after_cdr -> Text,
        checked -> BigInt,
        changed -> BigInt,
        due_at -> BigInt,
        lease_owner -> Nullable<Text>,
        lease_until -> BigInt,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    retention (name) {
        name -> Text,
        owner -> Text,
        until -> BigInt,
        ended_at -> Nullable<BigInt>,
        removed -> BigInt,
    }
}

diesel::table! {
    revisions (name) {
        name -> Text,
        value -> BigInt,
    }
}

diesel::table! {
    tokens (hash) {
        hash -> Text,
        platform_id -> Text,
        kind -> Text,
        expires_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    traces (cdr, nth) {
        cdr -> Text,
        nth -> BigInt,
        evse -> Nullable<Text>,
        uid -> Nullable<Text>,
        meter -> Nullable<Text>,
        gateway -> Nullable<Text>,
        fingerprint -> Nullable<Text>,
        began_at -> BigInt,
        ended_at -> BigInt,
    }
}

diesel::table! {
    unexamined (cdr) {
        cdr -> Text,
    }
}

diesel::table! {
    used_blocks (digest, fingerprint) {
        digest -> Text,
        fingerprint -> Text,
        cdr -> Text,
        cpo_key -> Text,
        cdr_key -> Text,
    }
}

diesel::table! {
    verdicts (id) {
        id -> Text,
        cdr -> Text,
        report -> Text,
        checked_at -> BigInt,
    }
}

diesel::table! {
    walks (name) {
        name -> Text,
        position -> Text,
        rounds -> BigInt,
    }
}

diesel::joinable!(client_views -> client_info (client_info));
diesel::joinable!(octets -> cdrs (cdr));
diesel::joinable!(traces -> cdrs (cdr));
diesel::joinable!(unexamined -> cdrs (cdr));
diesel::joinable!(verdicts -> cdrs (cdr));

diesel::allow_tables_to_appear_in_same_query!(keys, registry_documents);
diesel::allow_tables_to_appear_in_same_query!(client_info, client_views, outbox);
diesel::allow_tables_to_appear_in_same_query!(
    case_cdrs,
    case_findings,
    cases,
    cdrs,
    octets,
    traces,
    unexamined,
    used_blocks,
    verdicts
);
