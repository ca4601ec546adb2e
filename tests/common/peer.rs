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
    /// With its query.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> String {
        self.body.clone()
    }

    /// `to` and `from` of the routing headers.
    pub fn parties(&self) -> (String, String) {
        let part = |name: String| self.header(&name).unwrap_or("-").to_owned();
        let pair = |which: &str| {
            let country_code = part(format!("ocpi-{which}-country-code"));
            format!("{country_code}/{}", part(format!("ocpi-{which}-party-id")))
        };
        (pair("to"), pair("from"))
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// How long it takes; `None` is for ever.
    pub after: Option<Duration>,
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
            after: Some(Duration::ZERO),
        }
    }

    /// A page of a list; the time there is 11:59.
    pub fn page(objects: &[String], total: usize, next: Option<&str>) -> Answer {
        let body = format!(
            r#"{{"data":[{}],"status_code":1000,"timestamp":"2026-11-21T11:59:00Z"}}"#,
            objects.join(" , ")
        );
        let page = Answer::plain(200, &body).header("X-Total-Count", &total.to_string());
        match next {
            Some(next) => page.header("link", &format!("<{next}>; rel=next")),
            None => page,
        }
    }

    /// None, and the connection stays open.
    pub fn never() -> Answer {
        Answer {
            after: None,
            ..Answer::plain(200, "")
        }
    }

    pub fn header(mut self, name: &str, value: &str) -> Answer {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn after(mut self, after: Duration) -> Answer {
        self.after = Some(after);
        self
    }
}

type Temper = Arc<dyn Fn(&Got) -> Answer + Send + Sync>;

struct State {
    got: Vec<Got>,
    post: Answer,
    get: Answer,
    /// Decides instead of the two, where it is there.
    temper: Option<Temper>,
}

pub struct Peer {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: Mutex<Option<JoinHandle<()>>>,
}

impl Peer {
    /// One that takes everything and has nothing.
    pub async fn open() -> Peer {
        Peer::open_at("127.0.0.1:0").await
    }

    /// The same at an address of the test's choice.
    pub async fn open_at(address: &str) -> Peer {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = State {
            got: Vec::new(),
            post: Answer::envelope(201, 1000, "thanks"),
            get: Answer::plain(
                200,
                r#"{"status_code":1000,"data":[],"timestamp":"2026-11-21T10:00:00Z"}"#,
            ),
            temper: None,
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

    /// To every POST.
    pub fn answers(&self, answer: Answer) {
        self.state.lock().unwrap().post = answer;
    }

    /// To everything else.
    pub fn answers_get(&self, answer: Answer) {
        self.state.lock().unwrap().get = answer;
    }

    /// To everything, by what is asked.
    pub fn acts(&self, temper: impl Fn(&Got) -> Answer + Send + Sync + 'static) {
        self.state.lock().unwrap().temper = Some(Arc::new(temper));
    }

    /// What it got, in order, versions aside.
    pub fn got(&self) -> Vec<Got> {
        self.got_where(|got| got.path != "/versions")
    }

    /// What was posted to it, in order.
    pub fn posted(&self) -> Vec<Got> {
        self.got_where(|got| got.method == "POST")
    }

    /// What it was asked for by others, in order; what the hub reads for itself does not count.
    pub fn gets(&self) -> Vec<Got> {
        self.got_where(|got| got.method == "GET" && got.header("ocpi-from-party-id").is_some_and(|from| from != "TWH"))
    }

    fn got_where(&self, fits: impl Fn(&Got) -> bool) -> Vec<Got> {
        let state = self.state.lock().unwrap();
        state.got.iter().filter(|got| fits(got)).cloned().collect()
    }

    pub fn forget(&self) {
        self.state.lock().unwrap().got.clear();
    }

    /// Waits until it has got so many requests.
    pub async fn until(&self, count: usize) -> Vec<Got> {
        for _ in 0..1200 {
            if self.got().len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let got = self.got();
        assert!(got.len() >= count, "{} of {count}: {got:?}", got.len());
        got
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
                while connections.try_join_next().is_some() {}
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
        let answer = match &state.temper {
            Some(temper) => temper(&got),
            None if got.method == "POST" => state.post.clone(),
            None => state.get.clone(),
        };
        state.got.push(got);
        answer
    };
    match answer.after {
        Some(after) => tokio::time::sleep(after).await,
        None => return std::future::pending().await,
    }
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
        body: String::from_utf8(body).unwrap(),
    })
}
