//! Many connections at once: so many, and no more, and whoever is there already is served.

use truewatt::sandbox::wire::Connection;

use crate::hub_with;
use crate::raw::{answer, connect, head, is_well, said};

/// Enough to show that nobody is lost; ten thousand are for `truewatt bench --what idle`.
const MANY: usize = 500;

#[tokio::test]
async fn idle_connections_cost_the_others_nothing_and_are_still_good() {
    let (hub, _place) = hub_with("", "[limits]\nhead_s = 300\nkeep_alive_s = 300").await;
    let request = head("GET", "/health/live", &[]) + "\r\n";
    let mut idle = Vec::new();
    for number in 0..MANY {
        let mut line = Connection::new(connect(&hub).await);
        // Half of them were used before, half never said a word.
        if number % 2 == 0 {
            line.write(request.as_bytes()).await.unwrap();
            assert_eq!(answer(&mut line).await.status, 200);
        }
        idle.push(line);
    }
    is_well(&hub).await;
    for line in &mut idle {
        line.write(request.as_bytes()).await.unwrap();
        assert_eq!(answer(line).await.status, 200);
    }
    // Whoever waits for nothing keeps nobody from stopping.
    hub.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_are_told_so_and_seats_become_free_again() {
    let (hub, _place) = hub_with("", "[limits]\nconnections_per_address = 3\nkeep_alive_s = 300").await;
    let request = head("GET", "/health/live", &[]) + "\r\n";
    let mut seated = Vec::new();
    for _ in 0..3 {
        let mut line = Connection::new(connect(&hub).await);
        line.write(request.as_bytes()).await.unwrap();
        assert_eq!(answer(&mut line).await.status, 200);
        seated.push(line);
    }
    let mut standing = Connection::new(connect(&hub).await);
    let refused = answer(&mut standing).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")));
    assert!(said(&refused).2.starts_with("too many connections from this address"));
    drop(seated);
    loop {
        let mut line = Connection::new(connect(&hub).await);
        // It may be refused until the hub has noticed that the others left.
        if line.write(request.as_bytes()).await.is_ok()
            && line.read_response().await.is_ok_and(|answer| answer.status == 200)
        {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    hub.stop().await;
}
