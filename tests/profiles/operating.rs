//! What the people who run the hub see and do.

use serde_json::json;
use truewatt::client::Method;

use crate::on_both;
use crate::scene::{Scene, is_the_hubs_no, said, set};

on_both! {
    // ECI-19
    async fn eci_19_the_hubs_operator_releases_a_session_and_the_trail_says_who_and_why(on) {
        let scene = Scene::with_contract(on).await?;
        scene.session("S 1").await;
        let release = |reason| (Method::POST, "/operator/v1/controls/nl/cpa/s%201/release", Some(json!({"reason": reason})));
        let (method, path, body) = release("nobody answers the phone");
        assert_eq!(scene.world.operate(method.clone(), path, body.clone()).await.0, 409, "nobody steers it");
        scene.steers(&scene.scsp, "S 1").await;
        is_the_hubs_no(&set(&scene.emsp, "S 1", &scene.cpo.to).await, "REJECTED", &[&scene.scsp]);
        for (nonsense, status) in [(json!({}), 422), (json!({"reason": ""}), 422), (json!({"reason": "x", "by": "me"}), 422)] {
            assert_eq!(scene.world.operate(Method::POST, path, Some(nonsense)).await.0, status);
        }
        let unknown = "/operator/v1/controls/NL/CPA/other/release";
        assert_eq!(scene.world.operate(Method::POST, unknown, body.clone()).await.0, 404);
        assert_eq!(scene.world.operate(method, path, body).await.0, 204);
        assert_eq!(scene.seen("S 1").await["state"], "FREE");
        let reached = scene.reached();
        assert_eq!(said(&set(&scene.emsp, "S 1", &scene.cpo.to).await), "ACCEPTED");
        assert_eq!(scene.reached(), reached + 1, "the hub itself removes nothing");

        let trail = scene.world.operator(Method::GET, "/audit?limit=1000", None).await;
        let is_ours = |line: &&serde_json::Value| line["route"] == "/operator/v1/controls/{country_code}/{party_id}/{session_id}/release";
        let lines: Vec<_> = trail["items"].as_array().unwrap().iter().filter(is_ours).collect();
        assert!(lines.iter().any(|line| line["event"] == "ANSWERED" && line["status"] == 204 && line["actor"] == "operator" && line["object"] == "nl/cpa/s%201"));
        let mut why = Vec::new();
        for _ in 0..100 {
            let journal = scene.world.operator(Method::GET, "/journal?party=NL/CPA&limit=1000", None).await;
            let outcomes = journal["items"].as_array().unwrap().iter().map(|line| line["outcome"].as_str().unwrap().to_owned());
            why = outcomes.filter(|outcome| outcome.contains("released")).collect();
            if !why.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert_eq!(why, ["control released by operator: nobody answers the phone"]);
        Some(())
    }

    async fn the_list_of_sessions_has_pages_and_can_be_narrowed(on) {
        let scene = Scene::with_contract(on).await?;
        for session in ["S1", "S2", "S3"] {
            scene.session(session).await;
        }
        scene.steers(&scene.emsp, "S2").await;
        let ids = async |query: &str| -> Vec<String> {
            let page = scene.world.operator(Method::GET, &format!("/controls{query}"), None).await;
            page["items"].as_array().unwrap().iter().map(|one| one["session"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(ids("").await, ["S1", "S2", "S3"]);
        assert_eq!(ids("?state=steered").await, ["S2"]);
        assert_eq!(ids("?state=free&cpo=nl/cpa").await, ["S1", "S3"]);
        assert!(ids("?cpo=NL/XXX").await.is_empty());
        let first = scene.world.operator(Method::GET, "/controls?limit=2", None).await;
        let next = first["next_cursor"].as_str().unwrap();
        assert_eq!(ids(&format!("?limit=2&cursor={next}")).await, ["S3"]);
        assert_eq!(scene.world.operate(Method::GET, "/operator/v1/controls?state=held", None).await.0, 400);
        Some(())
    }
}
