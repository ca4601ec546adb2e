//! What is looked at in more than one step: answers, octets, headers, results that came later.

use std::time::Duration;

use serde_json::Value;

use super::cast::{Cast, text};
use super::stage::Stage;
use crate::sandbox::{Got, Ordered, Reply, SandboxParty};

/// How long anything that was set going is waited for.
pub(super) const SOON: Duration = Duration::from_secs(10);

/// The OCPI status of an answer.
pub(super) fn code(reply: &Reply) -> String {
    reply
        .code
        .map_or_else(|| format!("HTTP {}", reply.http), |code| code.to_string())
}

/// HTTP and OCPI status of an answer.
pub(super) fn heard(stage: &mut Stage, what: &str, reply: &Reply, expected: &str) {
    stage.see(what, expected, format!("{}, {}", reply.http, code(reply)));
}

/// `data` of an answer, when it is JSON.
pub(super) fn data(reply: &Reply) -> Value {
    parsed(reply.data.as_deref().unwrap_or_default())
}

pub(super) fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}

pub(super) fn yes_or_no(answer: bool) -> &'static str {
    if answer { "yes" } else { "no" }
}

/// A body came once, and as it was sent.
pub(super) fn octets(stage: &mut Stage, what: &str, sent: &str, came: &[Got]) {
    let expected = format!("the {} octets sent, once", sent.len());
    let seen = match came {
        [one] if one.body == sent.as_bytes() => format!("the {} octets sent, once", one.body.len()),
        [one] => format!("{} other octets", one.body.len()),
        several => format!("{} times", several.len()),
    };
    stage.see(what, expected, seen);
}

/// Who spoke and who was addressed, in the headers of a request that came.
pub(super) fn headers(stage: &mut Stage, what: &str, expected: (&str, &str), came: Option<&Got>) {
    let pair = |which| came.and_then(|got| got.pair(which)).unwrap_or_default();
    let (from, to) = expected;
    stage.see(
        what,
        format!("from {from} to {to}"),
        format!("from {} to {}", pair("from"), pair("to")),
    );
}

/// Two neighbours in the middle of an order: who gave it, and who carries it out.
pub(super) struct Between<'a> {
    pub(super) who: &'static str,
    pub(super) requester: &'a SandboxParty,
    pub(super) receiver: &'a SandboxParty,
}

impl Between<'_> {
    /// The answer at once: HTTP, OCPI status, and the word in it.
    pub(super) fn answer(&self, stage: &mut Stage, what: &str, ordered: &Ordered, word: &str) {
        let reply = &ordered.reply;
        let seen = format!("{}, {}, {}", reply.http, code(reply), text(&data(reply), "result"));
        stage.see(&format!("{what}, at once"), format!("200, 1000, {word}"), seen);
    }

    /// What reached the receiver: a response URL of the hub's instead of the requester's, and every other octet as it was.
    pub(super) fn order(&self, cast: &Cast, stage: &mut Stage, ordered: &Ordered) {
        let ours = self.response_url().unwrap_or_default();
        let is_the_hubs = ours.starts_with(&format!("{}/", cast.hub.url)) && ours != ordered.response_url;
        stage.see(
            "response_url at the CPO",
            "one of the hub's",
            if is_the_hubs { "one of the hub's" } else { "another" },
        );
        if ordered.body.is_empty() {
            return;
        }
        let expected = ordered.body.replacen(&ordered.response_url, &ours, 1);
        let came = self.receiver.got();
        let same = came.iter().any(|got| got.body == expected.as_bytes());
        stage.see(
            "every other octet",
            "as it was sent",
            if same { "as it was sent" } else { "not" },
        );
    }

    /// The result that comes later: its word, its octets, and the URL it came to, query and all. Returns its body.
    pub(super) async fn result(&self, stage: &mut Stage, what: &str, ordered: &Ordered, word: &str) -> String {
        let came = self.requester.wait_for_result(ordered, SOON).await;
        let body = came.as_ref().map(Got::text).unwrap_or_default();
        stage.see(&format!("{what}, later"), word, text(&parsed(&body), "result"));
        let ours = self.response_url();
        let posted = |sent: &crate::sandbox::Sent| Some(&sent.response_url) == ours.as_ref();
        self.receiver.wait_for_sent(SOON, |sent| sent.iter().any(posted)).await;
        let sent = self.receiver.sent().into_iter().find(posted);
        let same = sent.is_some_and(|sent| sent.body == body);
        let url = came.map(|got| format!("http://{}{}?{}", self.requester.host(), got.path, got.query));
        let place = match url {
            None => "nowhere".to_owned(),
            Some(url) if url == ordered.response_url && same => self.place(),
            Some(url) if url == ordered.response_url => "right URL, other octets".to_owned(),
            Some(_) => "another URL".to_owned(),
        };
        stage.see("which came unchanged to", self.place(), place);
        body
    }

    fn place(&self) -> String {
        format!("the {}'s URL, query intact", self.who)
    }

    /// The response URL the receiver was given last.
    fn response_url(&self) -> Option<String> {
        self.receiver.taken().pop().map(|taken| taken.response_url)
    }
}
