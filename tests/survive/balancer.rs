//! What stands in front of several processes of one hub: connections go to them in turn, and past those that are not there.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub struct Balancer {
    /// Where peers reach the hub, whoever answers.
    pub url: String,
    task: JoinHandle<()>,
}

impl Balancer {
    /// Listens; where to, is said later, because the processes must know this address first.
    pub async fn open() -> (Balancer, tokio::sync::watch::Sender<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (behind, places) = tokio::sync::watch::channel(Vec::<String>::new());
        let turn = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(async move {
            while let Ok((mut peer, _)) = listener.accept().await {
                let (places, turn) = (places.borrow().clone(), turn.clone());
                tokio::spawn(async move {
                    let first = turn.fetch_add(1, Ordering::Relaxed);
                    for number in 0..places.len() {
                        let place = &places[(first + number) % places.len()];
                        if let Ok(mut hub) = TcpStream::connect(place.as_str()).await {
                            let _ = copy_bidirectional(&mut peer, &mut hub).await;
                            return;
                        }
                    }
                });
            }
        });
        (Balancer { url, task }, behind)
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}
