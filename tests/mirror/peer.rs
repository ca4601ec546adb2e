//! A neighbour of few words: a real HTTP server that a test tells how to answer, and which remembers what it got.

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
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value.as_str())
    }

    /// `to` and `from` of the routing headers.
    pub fn parties(&self) -> (String, String) {
        let pair = |which: &str| {
            let country = self.header(&format!("ocpi-{which}-country-code"));
            format!("{country}/{}", self.header(&format!("ocpi-{which}-party-id")))
        };
        (pair("to"), pair("from"))
    }
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Act {
    Answer {
        status: u16,
        headers: Vec<(String, String)>,
        body: String,
        after: Duration,
    },
    Never,
}

impl Act {
    pub fn envelope(status: u16, code: u16) -> Act {
        Act::plain(
            status,
            &format!(r#"{{"status_code":{code},"timestamp":"2026-11-21T10:00:00Z"}}"#),
        )
    }

    pub fn plain(status: u16, body: &str) -> Act {
        Act::Answer {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
            after: Duration::ZERO,
        }
    }

    /// A page of a list; the time there is 11:59.
    pub fn page(objects: &[String], total: usize, next: Option<&str>) -> Act {
        let body = format!(
            r#"{{"data":[{}],"status_code":1000,"timestamp":"2026-11-21T11:59:00Z"}}"#,
            objects.join(" , ")
        );
        let mut page = Act::plain(200, &body).with("X-Total-Count", &total.to_string());
        if let Some(next) = next {
            page = page.with("link", &format!("<{next}>; rel=next"));
        }
        page
    }

    pub fn with(mut self, name: &str, value: &str) -> Act {
        if let Act::Answer { headers, .. } = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub fn after(mut self, delay: Duration) -> Act {
        if let Act::Answer { after, .. } = &mut self {
            *after = delay;
        }
        self
    }
}

type Temper = Arc<dyn Fn(&Got) -> Act + Send + Sync>;

pub struct Peer {
    pub address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    temper: Arc<Mutex<Temper>>,
    serving: Mutex<Option<JoinHandle<()>>>,
}

impl Peer {
    /// One that says 1000 to everything.
    pub async fn open() -> Peer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = Peer {
            address: listener.local_addr().unwrap(),
            got: Arc::default(),
            temper: Arc::new(Mutex::new(Arc::new(|_: &Got| Act::envelope(200, 1000)))),
            serving: Mutex::default(),
        };
        peer.serve(listener);
        peer
    }

    pub fn acts(&self, temper: impl Fn(&Got) -> Act + Send + Sync + 'static) {
        *self.temper.lock().unwrap() = Arc::new(temper);
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it got, versions aside.
    pub fn got(&self) -> Vec<Got> {
        let got = self.got.lock().unwrap();
        got.iter().filter(|one| one.path != "/versions").cloned().collect()
    }

    pub fn forget(&self) {
        self.got.lock().unwrap().clear();
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

    /// Nobody listens any more.
    pub async fn close(&self) {
        let serving = self.serving.lock().unwrap().take();
        if let Some(serving) = serving {
            serving.abort();
            let _ = serving.await;
        }
    }

    fn serve(&self, listener: TcpListener) {
        let (got, temper) = (self.got.clone(), self.temper.clone());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(converse(stream, got.clone(), temper.clone()));
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

async fn converse(stream: TcpStream, all: Arc<Mutex<Vec<Got>>>, temper: Arc<Mutex<Temper>>) {
    let mut stream = BufReader::new(stream);
    let Some(got) = read(&mut stream).await else {
        return;
    };
    let temper = temper.lock().unwrap().clone();
    let act = temper(&got);
    all.lock().unwrap().push(got);
    let Act::Answer {
        status,
        headers,
        body,
        after,
    } = act
    else {
        return std::future::pending().await;
    };
    tokio::time::sleep(after).await;
    let mut text = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n",
        body.len()
    );
    for (name, value) in &headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    let _ = stream.write_all(format!("{text}\r\n{body}").as_bytes()).await;
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
