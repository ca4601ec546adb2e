//! Objects with spellings that a parser would lose.

pub fn location(owner: &str, id: &str, updated: &str) -> String {
    let (country_code, party_id) = owner.split_once('/').unwrap();
    format!(
        "{{ \"zz\" : [1.50,2e0 ],\n\"country_code\":\"{country_code}\",\"party_id\":\"{party_id}\",\"id\":\"{id}\",\"publish\":true, \
         \"address\":\"A\\u00e9\",\"city\":\"B\",\"country\":\"DEU\",\"coordinates\":{{\"latitude\":\"52.520000\",\"longitude\":\"13.404000\"}},\
         \"time_zone\":\"Europe/Berlin\",\"evses\":[{}],\n \"last_updated\" : \"{updated}\" }}\n",
        evse("E1", "AVAILABLE", updated)
    )
}

pub fn evse(uid: &str, status: &str, updated: &str) -> String {
    format!(
        "{{\"uid\":\"{uid}\" , \"status\":\"{status}\",\"connectors\":[{}],\"last_updated\":\"{updated}\"}}",
        connector("1", "16", updated)
    )
}

pub fn connector(id: &str, amperage: &str, updated: &str) -> String {
    format!(
        "{{\"id\":\"{id}\",\"standard\":\"IEC_62196_T2\",\"format\":\"SOCKET\",\"power_type\":\"AC_3_PHASE\",\"max_voltage\":230,\
         \"max_amperage\" : {amperage},\"last_updated\":\"{updated}\"}}"
    )
}

pub fn tariff(owner: &str, id: &str, updated: &str) -> String {
    let (country_code, party_id) = owner.split_once('/').unwrap();
    format!(
        "{{\"country_code\":\"{country_code}\",\"party_id\":\"{party_id}\",\"id\":\"{id}\",\"currency\":\"EUR\",\
         \"elements\":[{{\"price_components\":[{{\"type\":\"FLAT\",\"price\":1.5000,\"step_size\":0}}]}}],\"last_updated\":\"{updated}\"}}"
    )
}

pub fn token(owner: &str, uid: &str, kind: &str, updated: &str) -> String {
    let (country_code, party_id) = owner.split_once('/').unwrap();
    format!(
        "{{\"country_code\":\"{country_code}\",\"party_id\":\"{party_id}\",\"uid\":\"{uid}\",\"type\":\"{kind}\",\"contract_id\":\"C1\",\
         \"issuer\":\"I\",\"valid\":true ,\"whitelist\":\"NEVER\",\"last_updated\":\"{updated}\"}}"
    )
}

pub fn session(owner: &str, id: &str, payer: &str, updated: &str) -> String {
    let (country_code, party_id) = owner.split_once('/').unwrap();
    let (payer_country, payer_party) = payer.split_once('/').unwrap();
    format!(
        "{{\"country_code\":\"{country_code}\",\"party_id\":\"{party_id}\",\"id\":\"{id}\",\"start_date_time\":\"2026-11-21T08:00:00Z\",\
         \"kwh\":0.000,\"cdr_token\":{{\"country_code\":\"{payer_country}\",\"party_id\":\"{payer_party}\",\"uid\":\"04AA\",\
         \"type\":\"RFID\",\"contract_id\":\"C1\"}},\"auth_method\":\"WHITELIST\",\"location_id\":\"L1\",\"evse_uid\":\"E1\",\
         \"connector_id\":\"1\",\"currency\":\"EUR\",\"status\":\"ACTIVE\",\"last_updated\":\"{updated}\"}}"
    )
}
