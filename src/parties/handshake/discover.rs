//! Learning a peer's API: versions, then the details of one version (CR-03, V-08).

use std::time::Duration;

use serde_json::value::RawValue;

use super::{HandshakeFailure, PeerSaid, Step};
use crate::client::Method;
use crate::client::outcome::{Answer, Outcome};
use crate::config::Secret;
use crate::ocpi::envelope;
use crate::ocpi::headers::TokenForm;
use crate::ocpi::ids::PlatformId;
use crate::ocpi::refusal::Situation;
use crate::ocpi::url;
use crate::ocpi::versions::{self, Endpoint, Version};
use crate::parties::line::{Exchange, Line, spelled_out};
use crate::routing::directory::{PlatformOptions, TokenEncoding};
use crate::seeing::Module;

/// Whose API to learn, and with what.
pub(super) struct Peer<'a> {
    pub line: &'a Line,
    pub platform: &'a PlatformId,
    pub versions_url: &'a str,
    pub token: &'a Secret,
    pub options: &'a PlatformOptions,
    pub correlation_id: &'a str,
}

/// Which version is wanted.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    /// That of the endpoint the peer called (CR-03, CR-25).
    Exactly(Version),
    /// The highest both sides speak (V-08).
    Highest,
}

/// What was learnt.
#[derive(Debug)]
pub(super) struct Discovered {
    pub version: Version,
    pub endpoints: Vec<Endpoint>,
    pub form: TokenForm,
}

/// Reads the peer's versions and the details of the version wanted.
pub(super) async fn discover(peer: &Peer<'_>, wanted: Wanted) -> Result<Discovered, HandshakeFailure> {
    // While the version is open the peer may turn out to be a 2.2 one, whose first edition knew raw tokens only (D-01).
    let may_be_raw = !matches!(wanted, Wanted::Exactly(Version::V2_2_1));
    let (data, form) = peer
        .get(Step::Versions, peer.versions_url, peer.options.first_form(), may_be_raw)
        .await?;
    let offered = versions::read_versions(data.get())
        .map_err(|e| HandshakeFailure::new(Step::Versions, Situation::UnusableClientApi, e.to_string()))?;
    let acceptable: &[Version] = match &wanted {
        Wanted::Exactly(version) => std::slice::from_ref(version),
        Wanted::Highest => &Version::ALL,
    };
    let Some((version, details_url)) = versions::highest_mutual(&offered, acceptable) else {
        let names = offered
            .iter()
            .map(|entry| entry.version.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let message = match wanted {
            Wanted::Exactly(version) => format!("version {} is not among those offered ({names})", version.as_str()),
            Wanted::Highest => format!("none of the versions offered ({names}) is spoken here"),
        };
        return Err(HandshakeFailure::new(
            Step::Versions,
            Situation::UnsupportedVersion,
            message,
        ));
    };
    // 2.2.1 leaves no choice of form (T-02), so what an early versions endpoint liked does not count there.
    let form = if version == Version::V2_2_1 {
        peer.options.first_form()
    } else {
        form
    };
    let (data, form) = peer
        .get(Step::VersionDetails, details_url, form, version == Version::V2_2)
        .await?;
    let details = versions::read_details(data.get())
        .map_err(|e| HandshakeFailure::new(Step::VersionDetails, Situation::UnusableClientApi, e.to_string()))?;
    if details.version != version.as_str() {
        let message = format!(
            "the details of version {} call themselves {:?}",
            version.as_str(),
            details.version
        );
        return Err(HandshakeFailure::new(
            Step::VersionDetails,
            Situation::UnusableClientApi,
            message,
        ));
    }
    if credentials_endpoint(&details.endpoints).is_none() {
        let message = "the credentials endpoint is not listed";
        return Err(HandshakeFailure::new(
            Step::VersionDetails,
            Situation::NoMatchingEndpoints,
            message,
        ));
    }
    // Said now, while somebody is listening: later it would be one failed call after the other (N-04, D-25).
    for endpoint in &details.endpoints {
        if let Err(forbidden) = peer.line.may_be_listed(&endpoint.url) {
            let message = format!(
                "the endpoint of {} would not be called: {forbidden}",
                endpoint.identifier
            );
            return Err(HandshakeFailure {
                not_called: true,
                ..HandshakeFailure::new(Step::VersionDetails, Situation::UnusableClientApi, message)
            });
        }
    }
    Ok(Discovered {
        version,
        endpoints: details.endpoints,
        form,
    })
}

/// The peer's credentials endpoint, whatever role it lists it with (V-04, F-02).
pub(super) fn credentials_endpoint(endpoints: &[Endpoint]) -> Option<&str> {
    versions::endpoint(endpoints, "credentials", crate::ocpi::role::InterfaceRole::Sender)
}

impl Peer<'_> {
    /// The `data` of one GET, and the form of token that opened it.
    async fn get(
        &self,
        step: Step,
        url: &str,
        form: TokenForm,
        may_be_raw: bool,
    ) -> Result<(Box<RawValue>, TokenForm), HandshakeFailure> {
        let mut form = form;
        let mut outcome = self.look(url, form).await;
        let refused = matches!(&outcome, Outcome::Answered(answer) if answer.status == 401);
        if refused && may_be_raw && form == TokenForm::Base64 && self.options.token_encoding == TokenEncoding::Auto {
            form = TokenForm::Raw;
            outcome = self.look(url, form).await;
        }
        Ok((data_of(step, outcome)?, form))
    }

    /// One look at what the peer lists.
    async fn look(&self, url: &str, form: TokenForm) -> Outcome {
        self.call(Module::named("versions"), Method::GET, url, form, None, &[])
            .await
    }

    /// One request to the peer's credentials endpoint; the endpoints' hosts are known to be the peer's.
    pub async fn call_at(
        &self,
        method: Method,
        url: &str,
        form: TokenForm,
        body: Option<String>,
        endpoints: &[Endpoint],
    ) -> Outcome {
        self.call(Module::named("credentials"), method, url, form, body, endpoints)
            .await
    }

    /// One request of the handshake: no routing headers, the token only to the peer's own hosts (N-05).
    async fn call(
        &self,
        module: Module,
        method: Method,
        url: &str,
        form: TokenForm,
        body: Option<String>,
        endpoints: &[Endpoint],
    ) -> Outcome {
        let own = std::iter::once(self.versions_url).chain(endpoints.iter().map(|e| e.url.as_str()));
        let hosts = own
            .filter_map(url::host_and_port)
            .chain(spelled_out(&self.options.allowed_hosts))
            .collect();
        self.line
            .exchange(Exchange {
                platform: self.platform,
                module,
                method,
                url: url.to_owned(),
                token: self.token,
                form,
                hosts,
                correlation_id: self.correlation_id.to_owned(),
                routing: None,
                headers: Vec::new(),
                body: body.map(Into::into),
                timeout: self.timeout(),
                max_answer: None,
                identity: self.options.client_certificate.as_deref(),
            })
            .await
    }

    fn timeout(&self) -> Duration {
        self.options.timeouts.relay.unwrap_or(self.line.relay())
    }
}

impl PlatformOptions {
    /// The form of token to try first.
    pub(super) fn first_form(&self) -> TokenForm {
        if self.token_encoding == TokenEncoding::Raw {
            TokenForm::Raw
        } else {
            TokenForm::Base64
        }
    }
}

/// The `data` of a successful answer; otherwise who said what.
pub(super) fn data_of(step: Step, outcome: Outcome) -> Result<Box<RawValue>, HandshakeFailure> {
    let unusable = |message: String| HandshakeFailure::new(step, Situation::UnusableClientApi, message);
    let answer = match outcome {
        Outcome::Answered(answer) => answer,
        Outcome::TimedOut => return Err(unusable("no answer in time".to_owned())),
        Outcome::Unreachable(why) => return Err(unusable(format!("not reachable: {why}"))),
        Outcome::NotAllowed(why) => {
            return Err(HandshakeFailure {
                not_called: true,
                ..unusable(format!("not called: {why}"))
            });
        }
        Outcome::Nonsense(why) => return Err(unusable(format!("the answer is unusable: {why}"))),
    };
    let (said, data) = read(&answer);
    let fail = |message: &str| HandshakeFailure {
        said: Some(said.clone()),
        ..unusable(message.to_owned())
    };
    if !(200..300).contains(&answer.status) {
        return Err(fail("the peer refused"));
    }
    match said.status_code {
        None => Err(fail("the answer has no OCPI envelope")),
        Some(code) if code.is_success() => data.ok_or_else(|| fail("the answer has no data")),
        Some(_) => Err(fail("the peer refused")),
    }
}

fn read(answer: &Answer) -> (PeerSaid, Option<Box<RawValue>>) {
    let envelope = envelope::read(&answer.body).ok();
    let said = PeerSaid {
        http_status: answer.status,
        status_code: envelope.as_ref().map(|e| e.status_code),
        status_message: envelope
            .as_ref()
            .and_then(|e| e.status_message.as_deref())
            .map(envelope::shortened),
    };
    (said, envelope.and_then(|e| e.data))
}
