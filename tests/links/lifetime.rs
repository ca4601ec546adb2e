//! How long an answer's address works.

use chrono::TimeDelta;
use serde_json::json;
use truewatt::sandbox::{Behaviour, Door, Execution, Order};

use crate::on_both;
use crate::orders::{lent_to, place, reservation};
use crate::scene::{NOON, RESULT, Scene, instant, is_nothing, post};
use crate::world::codes;

on_both! {
    // CMD-11, D-14, N-07
    async fn an_address_ends_a_day_later_or_when_the_reservation_does_or_an_hour_after_a_no(on) {
        let Scene { world, clock, cpo, emsp } = Scene::start_with(on, json!({"timeouts": {"relay_s": 1}}), json!({})).await?;
        let accepted = |timeout: u32| Execution::with_results([]).timeout(timeout);
        let cases = [
            ("unanswered", Order::StartSession, Err(Behaviour::Stall), "2026-11-22T12:00:00Z"),
            ("no answer of OCPI", Order::GetProfile, Err(Behaviour::Html), "2026-11-22T12:00:00Z"),
            ("accepted", Order::StartSession, Ok(accepted(30)), "2026-11-22T12:00:00Z"),
            ("accepted for longer", Order::StartSession, Ok(accepted(2 * 86_400)), "2026-11-23T12:00:00Z"),
            ("rejected", Order::StopSession, Ok(Execution::refused("REJECTED")), "2026-11-21T13:00:00Z"),
            ("at no known place", Order::StartSession, Ok(Execution::refused("REJECTED").saying(2003)), "2026-11-21T13:00:00Z"),
            ("too often", Order::SetProfile, Ok(Execution::refused("TOO_OFTEN")), "2026-11-21T13:00:00Z"),
            ("reserved", Order::ReserveNow, Ok(accepted(30)), "2026-11-24T08:00:00Z"),
            ("not reserved", Order::ReserveNow, Ok(Execution::refused("REJECTED")), "2026-11-21T13:00:00Z"),
        ];
        let mut lent = Vec::new();
        for (name, order, temper, end) in cases {
            match temper {
                Ok(execution) => cpo.platform.execute(order, execution),
                Err(behaviour) => cpo.platform.behave_once(Door::Receiver(order.module()), behaviour),
            }
            let ordered = if order == Order::ReserveNow {
                let fields = reservation(&emsp.id, instant("2026-11-23T08:00:00Z"));
                emsp.voice.command(order, &fields, &cpo.to).await.unwrap()
            } else {
                place(&emsp.voice, order, &cpo.to).await
            };
            lent.push((name, ordered, lent_to(&cpo, order), instant(end)));
        }
        lent.sort_by_key(|(.., end)| *end);
        for (name, ordered, url, end) in &lent {
            clock.set(*end - TimeDelta::milliseconds(1));
            assert_eq!(codes(&post(&cpo, url, &[], RESULT).await), (200, 1000), "{name}");
            clock.set(*end);
            is_nothing(&post(&cpo, url, &[], RESULT).await);
            assert_eq!(emsp.platform.results(ordered).len(), 1, "{name}");
        }
        // What has ended is not kept. The hub's own tick may have been faster.
        world.hub.links.forget_expired().await.unwrap();
        for (_, _, url, _) in &lent {
            let id = url.rsplit('/').next().unwrap();
            assert_eq!(world.hub.store.lent_find(id, instant(NOON)).await.unwrap(), None);
        }
        Some(())
    }
}
