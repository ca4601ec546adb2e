//! Two parties at the same instant, two hundred times: at one process, and at two on one PostgreSQL.

use futures_util::future::join_all;
use serde_json::Value;
use truewatt::client::Method;
use truewatt::ocpi::ids::PartyId;
use truewatt::sandbox::{Draft, Got, Later, Order, Reply};

use crate::common::place::On;
use crate::common::site::owned;
use crate::on_both;
use crate::scene::{LEDGER, Scene, t3};
use crate::world::{Neighbour, codes};

const ROUNDS: usize = 200;
/// So many sessions at a time.
const TOGETHER: usize = 20;
/// Every so many rounds the winner lets go and the loser tries again.
const AGAIN: usize = 10;

/// Sets a profile, or removes it, by the hub at this URL, whichever of its processes that is.
async fn ask(by: &Neighbour, method: Method, hub: &str, session: &str, cpo: &PartyId) -> Reply {
    let response_url = by.platform.lend(Order::SetProfile);
    let mut headers = truewatt::sandbox::party::routing(&by.id, Some(cpo));
    headers.extend(owned(&[("Content-Type", "application/json")]));
    let url = format!("{hub}/ocpi/2.2.1/receiver/chargingprofiles/{session}");
    let reply = match method {
        Method::DELETE => {
            let query = percent_encoding::utf8_percent_encode(&response_url, percent_encoding::NON_ALPHANUMERIC);
            by.platform
                .call(method, &format!("{url}?response_url={query}"), &headers, None)
                .await
        }
        _ => {
            let profile = Draft::charging_profile().json();
            let body = format!(r#"{{"response_url":"{response_url}","charging_profile":{profile}}}"#);
            by.platform.call(method, &url, &headers, Some(body.as_bytes())).await
        }
    };
    reply.unwrap()
}

fn word(reply: &Reply) -> String {
    assert_eq!(codes(reply), (200, 1000), "{reply:?}");
    let data: Value = serde_json::from_str(reply.data.as_deref().unwrap()).unwrap();
    data["result"].as_str().unwrap().to_owned()
}

impl Scene {
    /// What came to the operator about a session.
    fn came(&self, session: &str) -> Vec<Got> {
        let all = self.cpo.got("chargingprofiles").into_iter();
        all.filter(|got| got.path.ends_with(&format!("/{session}"))).collect()
    }

    /// The result of the last order about a session, posted by the operator.
    async fn result_of(&self, session: &str, asked: &Got) {
        let in_body = || {
            Some(
                serde_json::from_slice::<Value>(&asked.body).ok()?["response_url"]
                    .as_str()?
                    .to_owned(),
            )
        };
        let url = truewatt::ocpi::page::parameter(&asked.query, "response_url")
            .or_else(in_body)
            .unwrap();
        let taken = self
            .cpo
            .platform
            .taken()
            .into_iter()
            .find(|taken| taken.response_url == url)
            .unwrap();
        let reply = self
            .cpo
            .platform
            .post_result(&taken, &Later::word("ACCEPTED"))
            .await
            .unwrap();
        assert!(reply.accepted(), "{session}: {reply:?}");
    }

    /// One round on a session of its own, which every second time has been seen; each of the two asks at another URL where there are two.
    /// Whether one of the two acts for the other says what the operator sees.
    async fn round(&self, number: usize, hubs: [&str; 2], acts_for: bool) {
        let session = format!("R-{number}");
        if acts_for || number.is_multiple_of(2) {
            self.session(&session).await;
        }
        let parties = [&self.emsp, &self.scsp];
        let (one, other) = tokio::join!(
            ask(parties[0], Method::PUT, hubs[number % 2], &session, &self.cpo.id),
            ask(parties[1], Method::PUT, hubs[(number + 1) % 2], &session, &self.cpo.id),
        );
        let words = [word(&one), word(&other)];
        let winner = words
            .iter()
            .position(|word| word == "ACCEPTED")
            .unwrap_or_else(|| panic!("{session}: {words:?}"));
        assert_eq!(words[1 - winner], "REJECTED", "{session}");
        let came = self.came(&session);
        assert_eq!(came.len(), 1, "{session}: never both");
        let seen = if acts_for { parties[0] } else { parties[winner] };
        assert_eq!(came[0].pair("from"), Some(seen.id.to_string()));
        if !number.is_multiple_of(AGAIN) {
            return;
        }
        let (winner, loser) = (parties[winner], parties[1 - winner]);
        self.result_of(&session, &came[0]).await;
        assert_eq!(
            word(&ask(loser, Method::PUT, hubs[0], &session, &self.cpo.id).await),
            "REJECTED"
        );
        assert_eq!(
            word(&ask(winner, Method::DELETE, hubs[1], &session, &self.cpo.id).await),
            "ACCEPTED"
        );
        self.result_of(&session, &self.came(&session)[1]).await;
        assert_eq!(
            word(&ask(loser, Method::PUT, hubs[1], &session, &self.cpo.id).await),
            "ACCEPTED"
        );
        assert_eq!(self.came(&session).len(), 3);
    }

    async fn rounds(&self, rounds: usize, hubs: [&str; 2], acts_for: bool) {
        for begin in (0..rounds).step_by(TOGETHER) {
            join_all((begin..begin + TOGETHER).map(|number| self.round(number, hubs, acts_for))).await;
        }
    }
}

on_both! {
    // ECI-09
    async fn eci_09_of_two_at_the_same_instant_one_is_forwarded_and_the_other_refused(on) {
        let scene = Scene::with_contract(on).await?;
        let hub = scene.world.hub.url.clone();
        scene.rounds(ROUNDS, [&hub, &hub], false).await;
        Some(())
    }

    // ECI-09, ECI-11
    async fn eci_09_an_emsp_and_who_acts_for_it_at_the_same_instant_are_one_too_many(on) {
        let scene = Scene::start(on).await?;
        scene.agree("t2", crate::delegating::relayed()).await;
        let hub = scene.world.hub.url.clone();
        scene.rounds(ROUNDS / 4, [&hub, &hub], true).await;
        Some(())
    }
}

// ECI-09
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eci_09_of_two_at_the_same_instant_at_two_processes_one_is_forwarded_and_the_other_refused() {
    let Some(scene) = Scene::start_with(On::Postgres, LEDGER).await else {
        return;
    };
    scene.agree("all", t3()).await;
    let beside = scene.world.beside().await;
    let hubs = [scene.world.hub.url.clone(), beside.hub.url.clone()];
    scene.rounds(ROUNDS, [&hubs[0], &hubs[1]], false).await;
    beside.ended().await;
}
