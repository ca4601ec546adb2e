//! A neighbour of few words: a real HTTP server whose answers a test chooses, and which remembers what it got.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Got {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }
}

/// What it answers to a POST.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub after: Duration,
}

impl Answer {
    pub fn envelope(status: u16, code: u16, message: &str) -> Answer {
        Answer::plain(
            status,
            &format!(r#"{{"status_code":{code},"status_message":"{message}","timestamp":"2026-11-21T10:00:00Z"}}"#),
        )
    }

    pub fn plain(status: u16, body: &str) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
            after: Duration::ZERO,
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn after(mut self, after: Duration) -> Answer {
        self.after = after;
        self
    }
}

struct State {
    got: Vec<Got>,
    post: Answer,
    get: Answer,
}

pub struct Peer {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: Mutex<Option<JoinHandle<()>>>,
}

impl Peer {
    pub async fn open() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            got: Vec::new(),
            post: Answer::envelope(201, 1000, "thanks"),
            get: Answer::plain(
                200,
                r#"{"status_code":1000,"data":[],"timestamp":"2026-11-21T10:00:00Z"}"#,
            ),
        };
        let peer = Peer {
            address,
            state: Arc::new(Mutex::new(state)),
            serving: Mutex::new(None),
        };
        peer.serve(listener);
        peer
    }

    /// Nobody listens any more; what is under way breaks off.
    pub async fn close(&self) {
        let serving = self.serving.lock().unwrap().take();
        if let Some(serving) = serving {
            serving.abort();
            let _ = serving.await;
        }
    }

    /// Listens again at the same address.
    pub async fn reopen(&self) {
        for _ in 0..100 {
            if let Ok(listener) = TcpListener::bind(self.address).await {
                self.serve(listener);
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the port of the peer is taken");
    }

    pub fn answers(&self, answer: Answer) {
        self.state.lock().unwrap().post = answer;
    }

    pub fn answers_get(&self, answer: Answer) {
        self.state.lock().unwrap().get = answer;
    }

    /// The CDRs it got, in order.
    pub fn cdrs(&self) -> Vec<Got> {
        self.state
            .lock()
            .unwrap()
            .got
            .iter()
            .filter(|got| got.method == "POST")
            .cloned()
            .collect()
    }

    /// What it was asked for by others, in order; what the hub reads for itself does not count.
    pub fn gets(&self) -> Vec<Got> {
        self.state
            .lock()
            .unwrap()
            .got
            .iter()
            .filter(|got| got.method == "GET" && got.header("ocpi-from-party-id").is_some_and(|from| from != "TWH"))
            .cloned()
            .collect()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn serve(&self, listener: TcpListener) {
        let state = self.state.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(converse(stream, state.clone()));
            }
        });
        *self.serving.lock().unwrap() = Some(task);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.lock().unwrap().take() {
            serving.abort();
        }
    }
}

async fn converse(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    let Some(got) = read(&mut stream).await else {
        return;
    };
    let answer = {
        let mut state = state.lock().unwrap();
        let answer = if got.method == "POST" {
            state.post.clone()
        } else {
            state.get.clone()
        };
        state.got.push(got);
        answer
    };
    tokio::time::sleep(answer.after).await;
    let mut text = format!(
        "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n",
        answer.status,
        answer.body.len()
    );
    for (name, value) in &answer.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{text}\r\n{}", answer.body).as_bytes()).await;
    let _ = stream.shutdown().await;
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Got> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let length = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|(_, value)| value.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Got {
        method,
        path,
        headers,
        body,
    })
}
