//! The doorstep: what happens between a connection and its first request, and what a connection may cost meanwhile.
//!
//! A caller is given a seat ([`seats`]), shakes hands where TLS is spoken ([`certificates`]), and then has a [`mod@line`] that keeps the time: a
//! head or an answer that does not get on, a caller that says nothing, a head without end. HTTP itself is actix's.
//!
//! The rule everything follows from: **who is slow costs only himself**. Nothing here waits for anybody without a deadline, and what is
//! held for somebody who has not asked for anything yet is bounded.
//!
//! Never here: a look at what a request says. Start with [`Doorstep::receive`].

pub mod certificates;
pub mod line;
pub mod seats;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::error::DispatchError;
use rustls::ServerConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::clock::SharedClock;
use crate::config;
use crate::ocpi::refusal::Refusal;
use crate::web::limits::address::Proxies;
pub use certificates::Certificates;
pub use line::{Line, Presence};
use line::{Stream, refusal_octets};
use seats::Seats;

/// Receives connections.
pub struct Doorstep {
    seats: Arc<Seats>,
    tls: Option<TlsAcceptor>,
    patience: Patience,
    keep_alive: Duration,
    clock: SharedClock,
}

/// How long is waited for a caller.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the head of a request, and for the first octet of all.
    pub head: Duration,
    /// For an answer to be taken.
    pub answer: Duration,
}

impl Doorstep {
    /// As configured; TLS is spoken where it is said how.
    #[must_use]
    pub fn new(
        limits: &config::Limits,
        server: &config::Server,
        tls: Option<Arc<ServerConfig>>,
        clock: SharedClock,
    ) -> Doorstep {
        Doorstep {
            seats: Arc::new(Seats::new(limits, Proxies::new(server))),
            tls: tls.map(TlsAcceptor::from),
            patience: Patience {
                head: limits.head,
                answer: limits.answer,
            },
            keep_alive: limits.keep_alive,
            clock,
        }
    }

    /// How long a connection stays open without a request.
    #[must_use]
    pub fn keep_alive(&self) -> Duration {
        self.keep_alive
    }

    /// How many connections there may be; of those beyond, each is told so.
    #[must_use]
    pub fn most_connections(&self) -> usize {
        // Beyond ours: the server below would let further callers wait without a word.
        self.seats.most().saturating_add(100)
    }

    /// Gives a caller a seat, speaks TLS with it where that is spoken, and hands on the line it may talk on.
    ///
    /// # Errors
    /// When there is no seat, or no handshake in time; the connection is closed then.
    pub async fn receive(self: Arc<Self>, stream: TcpStream) -> Result<(Line, Option<SocketAddr>), DispatchError> {
        let caller = stream.peer_addr()?;
        // Answers are written whole: waiting for more to send with them only costs time.
        stream.set_nodelay(true)?;
        let seat = match self.seats.take(caller.ip()) {
            Ok(seat) => seat,
            Err(refusal) => return Err(self.send_away(&stream, &refusal).await),
        };
        let stream = match &self.tls {
            None => Stream::Plain(stream),
            Some(tls) => {
                let shaken = tokio::time::timeout(self.patience.head, tls.accept(stream)).await;
                let shaken = shaken.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?;
                Stream::Tls(Box::new(shaken?))
            }
        };
        let line = Line::new(stream, seat, self.patience, self.clock.clone());
        Ok((line, Some(caller)))
    }

    /// One attempt to say why; whoever speaks TLS could not read it and hears nothing.
    async fn send_away(&self, stream: &TcpStream, refusal: &Refusal) -> DispatchError {
        if self.tls.is_none() {
            // A new connection has room for it at once; nobody waits for a caller that has not.
            if let Ok(Ok(())) = tokio::time::timeout(AT_ONCE, stream.writable()).await {
                let _ = stream.try_write(&refusal_octets(refusal, self.clock.now()));
            }
        }
        io::Error::from(io::ErrorKind::QuotaExceeded).into()
    }
}

/// How long somebody is kept who is sent away.
const AT_ONCE: Duration = Duration::from_millis(100);
