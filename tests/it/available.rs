//! The proof of a session outlives the process that took it.

use truewatt::client::Method;

use crate::world::{Database, Hub, charge};

on_both_databases!(cal_r5_the_signed_records_of_a_session_are_there_for_both_parties_after_a_kill);

// CAL-R5
async fn cal_r5_the_signed_records_of_a_session_are_there_for_both_parties_after_a_kill(database: Database) {
    let hub = Hub::start(&database).await;
    let (cpo, emsp) = (hub.cpo("DE/ABC").await, hub.emsp("DE/EMS").await);
    let posted = cpo
        .post_cdr(&cpo.cdr("C-1", &emsp.party, &charge(1_000)))
        .await
        .unwrap();
    assert!(posted.accepted(), "{posted:?}");
    let forms = ["xml", "json", "raw"].map(|form| format!("/partner/v1/cdrs/DE/ABC/C-1/transparency.{form}"));
    let mut before = Vec::new();
    for form in &forms {
        let file = emsp.get(&format!("{}{form}", hub.url)).await.unwrap();
        assert_eq!(file.http, 200, "{form}");
        before.push(file.body);
    }

    hub.kill();
    hub.restart().await;
    for (form, before) in forms.iter().zip(&before) {
        let url = format!("{}{form}", hub.url);
        assert!(emsp.get(&url).await.unwrap().body == *before, "{form}");
        let sender = cpo.platform.call(Method::GET, &url, &[], None).await.unwrap();
        assert!(sender.body == *before, "{form}");
    }
}
