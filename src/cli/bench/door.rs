//! The lean end of the line: a port on loopback that costs less than a sandbox party, which remembers everything.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::sandbox::wire::{Connection, Request};

/// Who answers at a door.
pub trait Answers: Send + Sync + 'static {
    /// The octets of the answer.
    fn answer(&self, request: Request) -> impl Future<Output = Vec<u8>> + Send;
}

/// A port that is served. Dropping it closes the port and every connection.
pub struct Door<A> {
    address: SocketAddr,
    answers: Arc<A>,
    state: State,
}

enum State {
    Open(JoinHandle<()>),
    /// The port stays ours, but nobody listens: callers are refused.
    Refusing {
        _kept: TcpSocket,
    },
    Closed,
}

impl<A: Answers> Door<A> {
    /// Opens a free port.
    ///
    /// # Errors
    /// When none can be had.
    pub async fn open(answers: Arc<A>) -> io::Result<Door<A>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Ok(Door {
            address: listener.local_addr()?,
            state: State::Open(tokio::spawn(listen(listener, Arc::clone(&answers)))),
            answers,
        })
    }

    /// Who answers here.
    #[must_use]
    pub fn answers(&self) -> &A {
        &self.answers
    }

    /// An absolute URL here; the path begins with a slash.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// From now on callers are refused.
    ///
    /// # Errors
    /// When the port cannot be kept.
    pub async fn refuse(&mut self) -> io::Result<()> {
        if let State::Open(task) = std::mem::replace(&mut self.state, State::Closed) {
            task.abort();
            // Only when the task is over, listener and connections with it, is the port free to be kept by one who does not listen.
            let _ = task.await;
            self.state = State::Refusing {
                _kept: socket_at(self.address)?,
            };
        }
        Ok(())
    }

    /// From now on callers are answered again.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub fn reopen(&mut self) -> io::Result<()> {
        if !matches!(self.state, State::Open(_)) {
            self.state = State::Closed;
            let listener = socket_at(self.address)?.listen(BACKLOG)?;
            self.state = State::Open(tokio::spawn(listen(listener, Arc::clone(&self.answers))));
        }
        Ok(())
    }
}

impl<A> Drop for Door<A> {
    fn drop(&mut self) {
        if let State::Open(task) = &self.state {
            task.abort();
        }
    }
}

/// More connections than a hub opens at once.
const BACKLOG: u32 = 1024;

fn socket_at(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn listen<A: Answers>(listener: TcpListener, answers: Arc<A>) {
    let mut lines = JoinSet::new();
    loop {
        tokio::select! {
            arrived = listener.accept() => match arrived {
                Ok((stream, _)) => { lines.spawn(converse(stream, Arc::clone(&answers))); }
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = lines.join_next() => {}
        }
    }
}

async fn converse<A: Answers>(stream: TcpStream, answers: Arc<A>) {
    let mut connection = Connection::new(stream);
    while let Ok(Some(request)) = connection.read_request().await {
        let answer = answers.answer(request).await;
        if connection.write(&answer).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::sandbox::wire;

    struct Echo;

    impl Answers for Echo {
        async fn answer(&self, request: Request) -> Vec<u8> {
            wire::response(200, &[], &request.body)
        }
    }

    async fn says(door: &Door<Echo>, word: &[u8]) -> io::Result<Vec<u8>> {
        let mut line = Connection::new(TcpStream::connect(door.address).await?);
        line.write(&wire::request("PUT", "/", "x", &[], word)).await?;
        Ok(line.read_response().await.map_err(io::Error::other)?.body)
    }

    #[tokio::test]
    async fn a_door_that_refuses_keeps_its_port_and_can_be_opened_again() {
        let mut door = Door::open(Arc::new(Echo)).await.unwrap();
        assert_eq!(says(&door, b"a").await.unwrap(), b"a");
        door.refuse().await.unwrap();
        assert_eq!(
            says(&door, b"b").await.unwrap_err().kind(),
            io::ErrorKind::ConnectionRefused
        );
        door.reopen().unwrap();
        assert_eq!(says(&door, b"c").await.unwrap(), b"c");
    }
}
