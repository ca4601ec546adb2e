//! How the process behaves as a guest on somebody's machine.

use truewatt::sandbox::cpo::To;

use crate::world::{Database, Hub, charge};

on_both_databases!(
    it_stops_when_asked_and_leaves_nothing_behind,
    secrets_and_drivers_are_in_no_log_line
);

async fn it_stops_when_asked_and_leaves_nothing_behind(database: Database) {
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    cpo.post_cdr(&cpo.cdr("C-1", &emsp.party, &charge(1_000)))
        .await
        .unwrap();
    assert_eq!(
        hub.stop().await,
        Some(0),
        "SIGTERM is a request, not an accident; it said:\n{}",
        hub.said()
    );
    let mut left: Vec<String> = std::fs::read_dir(database.directory())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name != "hub.log" && !name.starts_with("truewatt.db"))
        .collect();
    left.sort();
    assert!(left.is_empty(), "{left:?}");
    hub.restart().await;
    assert_eq!(
        emsp.pull("").await.unwrap().objects.len(),
        1,
        "and knows everything when it comes again"
    );
}

async fn secrets_and_drivers_are_in_no_log_line(database: Database) {
    let hub = Hub::start_with(&database, &[]).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    emsp.platform.go_away().await.unwrap();
    let draft = cpo.cdr("C-1", &emsp.party, &charge(1_000));
    cpo.post_cdr(&draft).await.unwrap();
    cpo.post_body(b"{\"id\":\"broken\"", &To::Open).await.unwrap();
    emsp.platform.come_back().unwrap();
    hub.wait_for_delivery(&cpo.party, "C-1", "delivered").await;
    let said = hub.said();
    for (what, secret) in [
        ("a token of the operator", cpo.platform.token().unwrap()),
        ("a token of the provider", emsp.platform.token().unwrap()),
        ("a driver's card", draft.token_uid.clone()),
        ("a contract", draft.contract_id.clone()),
        ("the operator's own token", "story-operator-token-1f6c2a".to_owned()),
    ] {
        assert!(!said.contains(&secret), "{what} is in the log");
    }
}
