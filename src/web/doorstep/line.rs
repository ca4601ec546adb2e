//! One connection, with a clock: octets pass through as they come, and who does not get on is cut off.
//!
//! actix limits the first head of a connection in time, and nothing else. A line knows when a request is being worked on ([`Presence`], told
//! by the threshold) and keeps the time between requests: from the first octet of a head until it is whole, from an answer that cannot be
//! written until it is.

use std::cell::Cell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};
use tokio_rustls::server::TlsStream;

use super::Patience;
use super::seats::Seat;
use crate::clock::SharedClock;
use crate::ocpi::envelope;
use crate::ocpi::refusal::{Refusal, Situation};
use crate::web::error::http_status;

/// The head of a request may have so many octets.
pub const LONGEST_HEAD: usize = 32 * 1024;

/// What is still read of somebody who was cut off, so that he hears why, and for how long.
const LINGER: Duration = Duration::from_secs(1);

/// Octets, encrypted or not.
pub enum Stream {
    /// As they are.
    Plain(TcpStream),
    /// By TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// Whether somebody works for the caller of a line at this moment.
#[derive(Debug, Default)]
pub struct Presence {
    inside: Cell<u32>,
    /// How many requests there were.
    requests: Cell<u64>,
}

/// A request that is being worked on, until this is dropped.
pub struct Inside<'a>(&'a Presence);

impl Presence {
    /// A request is whole and worked on from now on.
    #[must_use]
    pub fn inside(&self) -> Inside<'_> {
        self.inside.set(self.inside.get().saturating_add(1));
        self.requests.set(self.requests.get().wrapping_add(1));
        Inside(self)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.inside.set(self.0.inside.get().saturating_sub(1));
    }
}

/// One connection.
pub struct Line {
    stream: Stream,
    presence: Rc<Presence>,
    patience: Patience,
    clock: SharedClock,
    /// Since when a head is waited for; `None` between requests.
    head_since: Option<Instant>,
    head_alarm: Alarm,
    /// Octets since the last request, or since the beginning.
    read: usize,
    /// How many requests there were when that was counted.
    requests: u64,
    /// The reader was given a chance to find the end of a long head.
    looked: bool,
    /// Since when an answer is stuck.
    answer_since: Option<Instant>,
    answer_alarm: Alarm,
    cut_off: bool,
    /// Since when somebody who was cut off is given the time to hear why.
    closing_since: Option<Instant>,
    closing_alarm: Alarm,
    _seat: Seat,
}

/// Rings at an instant, or later; may be given a later one while it waits.
#[derive(Default)]
struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    fn poll(&mut self, at: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        // One that rings early is set again then. That costs less than setting it for every request.
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        loop {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            ready!(sleep.as_mut().poll(cx));
            sleep.as_mut().reset(at);
        }
    }
}

impl Line {
    /// A line on an open stream. The first octet is waited for as for a head.
    #[must_use]
    pub fn new(stream: Stream, seat: Seat, patience: Patience, clock: SharedClock) -> Line {
        Line {
            stream,
            presence: Rc::default(),
            patience,
            clock,
            head_since: Some(Instant::now()),
            head_alarm: Alarm::default(),
            read: 0,
            requests: 0,
            looked: false,
            answer_since: None,
            answer_alarm: Alarm::default(),
            cut_off: false,
            closing_since: None,
            closing_alarm: Alarm::default(),
            _seat: seat,
        }
    }

    /// Whom the threshold tells about requests.
    #[must_use]
    pub fn presence(&self) -> Rc<Presence> {
        self.presence.clone()
    }

    /// Notices whether another request came since the last look.
    fn catch_up(&mut self) -> bool {
        let requests = self.presence.requests.get();
        if requests != self.requests {
            self.requests = requests;
            self.read = 0;
            self.head_since = None;
        }
        self.presence.inside.get() > 0
    }

    /// The first head of a connection is cut where it is too long. Later ones are behind what may be left of a body, which nobody counts
    /// here; they have the limit of the reader.
    fn is_endless(&self) -> bool {
        self.requests == 0 && self.read >= LONGEST_HEAD
    }

    /// Says why, if that is possible, and reads nothing more.
    fn cut_off(&mut self, refusal: Option<&Refusal>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut_off = true;
        if let Some(refusal) = refusal {
            let octets = refusal_octets(refusal, self.clock.now());
            // One attempt: nothing else is on its way, so it fits, or the caller is gone.
            let _ = Pin::new(&mut self.stream).poll_write(cx, &octets);
            let _ = Pin::new(&mut self.stream).poll_flush(cx);
        }
        // The end of the stream, for whoever reads.
        Poll::Ready(Ok(()))
    }
}

/// A refusal as the last thing that is written on a connection.
#[must_use]
pub fn refusal_octets(refusal: &Refusal, now: DateTime<Utc>) -> Vec<u8> {
    let status = http_status(refusal.situation);
    let body = envelope::write(None, refusal.code(), Some(&refusal.message), now);
    let retry = match refusal.situation {
        Situation::TooOften(seconds) => format!("Retry-After: {seconds}\r\n"),
        _ => String::new(),
    };
    format!(
        "HTTP/1.1 {} {}\r\nConnection: close\r\nContent-Type: application/json\r\n{retry}Content-Length: {}\r\n\r\n{body}",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        body.len(),
    )
    .into_bytes()
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        if line.cut_off {
            return Poll::Ready(Ok(()));
        }
        if line.catch_up() {
            return Pin::new(&mut line.stream).poll_read(cx, buffer);
        }
        if line.is_endless() {
            if line.looked {
                let sentence = format!("the head of a request may have at most {LONGEST_HEAD} octets");
                return line.cut_off(Some(&Refusal::head_too_large(sentence)), cx);
            }
            // The head may be whole, and what follows a body: the reader finds out, and is back at once if not.
            line.looked = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        match Pin::new(&mut line.stream).poll_read(cx, buffer) {
            Poll::Ready(outcome) => {
                let octets = buffer.filled().len().saturating_sub(before);
                if octets > 0 {
                    line.read = line.read.saturating_add(octets);
                    line.head_since.get_or_insert_with(Instant::now);
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => {
                // While an answer is stuck, that is what is waited for.
                let since = line.head_since.filter(|_| line.answer_since.is_none());
                let Some(since) = since else { return Poll::Pending };
                ready!(line.head_alarm.poll(since + line.patience.head, cx));
                // Whoever said nothing has asked nothing, and hears nothing.
                let slow = (line.read > 0).then(|| {
                    let seconds = line.patience.head.as_secs();
                    Refusal::too_slow(format!("the head of the request did not arrive within {seconds} s"))
                });
                line.cut_off(slow.as_ref(), cx)
            }
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let line = self.get_mut();
        match Pin::new(&mut line.stream).poll_write(cx, octets) {
            Poll::Ready(outcome) => {
                // Some of it is not all of it: who takes one octet a minute would be waited for until tomorrow.
                if outcome.as_ref().is_ok_and(|written| *written == octets.len()) {
                    line.answer_since = None;
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => {
                let since = *line.answer_since.get_or_insert_with(Instant::now);
                ready!(line.answer_alarm.poll(since + line.patience.answer, cx));
                line.cut_off = true;
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let line = self.get_mut();
        if line.closing_since.is_none() {
            ready!(Pin::new(&mut line.stream).poll_shutdown(cx))?;
            if !line.cut_off {
                return Poll::Ready(Ok(()));
            }
        }
        // A socket that is closed with octets unread takes back what it said last.
        let until = *line.closing_since.get_or_insert_with(Instant::now) + LINGER;
        let mut scratch = [0; 4096];
        while Instant::now() < until {
            let mut thrown_away = ReadBuf::new(&mut scratch);
            match Pin::new(&mut line.stream).poll_read(cx, &mut thrown_away) {
                Poll::Ready(Ok(())) if !thrown_away.filled().is_empty() => {}
                Poll::Ready(_) => break,
                Poll::Pending => return line.closing_alarm.poll(until, cx).map(Ok),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_write(cx, octets),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
