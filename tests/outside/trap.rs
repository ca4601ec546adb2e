//! A port on loopback where nobody should ever come: it counts those who do.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub struct Trap {
    pub port: u16,
    count: Arc<AtomicUsize>,
}

impl Trap {
    /// Listens at 127.0.0.1 and, where there is IPv6, at ::1.
    pub fn set() -> Trap {
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = v4.local_addr().unwrap().port();
        let count = Arc::new(AtomicUsize::new(0));
        for listener in [Some(v4), TcpListener::bind(("::1", port)).ok()].into_iter().flatten() {
            let count = count.clone();
            // Ends with the process: it waits for somebody who must not come.
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    count.fetch_add(1, Ordering::SeqCst);
                    drop(stream);
                }
            });
        }
        Trap { port, count }
    }

    /// A URL at it.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How many came.
    pub fn caught(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}
