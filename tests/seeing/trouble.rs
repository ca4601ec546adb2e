//! A database in trouble is a number, and no reason to give none.

use truewatt::clock::SystemClock;

use crate::common::world::World;
use crate::on_both;
use crate::scrape::Numbers;

on_both! {
    async fn without_its_database_a_hub_still_tells_what_it_knows_and_that_it_is_in_trouble(on) {
        let world = World::on(on, "", SystemClock::shared()).await?;
        let (cpo, emsp) = world.pair().await;
        let before = Numbers::of(&world).await;
        assert_eq!(before.count("truewatt_database_answers", &[]), 1);
        assert_eq!(before.count("truewatt_database_troubles_total", &[]), 0);
        world.hub.store.close().await;
        let started = std::time::Instant::now();
        let after = loop {
            let numbers = Numbers::of(&world).await;
            if numbers.count("truewatt_database_answers", &[]) == 0 {
                break numbers;
            }
            assert!(started.elapsed() < crate::common::world::SOON * 2);
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        };
        assert!(after.count("truewatt_database_troubles_total", &[("kind", "unavailable")]) > 0);
        for platform in [&cpo.at_hub, &emsp.at_hub] {
            let labels = [("platform", platform.as_str())];
            let (was, is) = (before.count("truewatt_requests_in_total", &labels), after.count("truewatt_requests_in_total", &labels));
            assert!(was > 0 && is >= was, "what is in memory is told");
        }
        assert!(after.text.contains("truewatt_totals_age_seconds "), "and how old the rest is");
        Some(())
    }
}
