//! The ledger of one session: its rows of the tables one by one, and all of it against a small model.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::profiles::pace::Rate;

fn party(text: &str) -> PartyId {
    PartyId::from_slash(text).unwrap()
}

fn at(second: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + second, 0).unwrap()
}

const LIMITS: Limits = Limits {
    put: Rate {
        burst: 3,
        interval_s: 60,
    },
    get: Rate {
        burst: 3,
        interval_s: 30,
    },
};

fn contract() -> Contract {
    let wish = json!({"kind": "T3", "grantor": "NL/CPA", "scsp": "BE/SCS", "from": "2020-01-01T00:00:00Z"});
    Contract::read("C", wish.as_object().unwrap()).unwrap()
}

/// DE/MSA's word for FR/DEL, and that the hub is to ask in its name.
fn t2() -> Contract {
    let wish =
        json!({"kind": "T2", "grantor": "DE/MSA", "scsp": "FR/DEL", "relay": "hub", "from": "2020-01-01T00:00:00Z"});
    Contract::read("D", wish.as_object().unwrap()).unwrap()
}

fn with(precedence: Precedence) -> Contract {
    Contract {
        precedence,
        ..contract()
    }
}

fn itself(text: &str) -> Told {
    Told {
        party: party(text),
        acts_for: None,
    }
}

/// A session of DE/MSA's driver at NL/CPA, who has a contract with BE/SCS.
struct Scene {
    session: Session,
    contracts: Vec<Contract>,
}

impl Scene {
    fn new() -> Scene {
        let mut session = Session::new(&party("NL/CPA"), "S1");
        session.seen(Seen {
            emsp: Some(party("DE/MSA")),
            location: Some("L1".to_owned()),
            ..Seen::default()
        });
        Scene {
            session,
            contracts: vec![contract()],
        }
    }

    fn ask(&mut self, who: &str, verb: Verb, request: &str, second: i64) -> Result<(), Refused> {
        let party = party(who);
        let ask = Ask {
            party: &party,
            is_emsp: who.starts_with("DE"),
            name: Name::Any,
            verb,
            request,
            answer_within: TimeDelta::seconds(10),
        };
        self.session.admit(&ask, &self.contracts, &LIMITS, at(second)).map(drop)
    }

    fn put(&mut self, who: &str, request: &str, second: i64) -> Result<(), Refused> {
        self.ask(who, Verb::Put, request, second)
    }

    fn result(&mut self, verb: Verb, request: &str, is_accepted: bool, second: i64) {
        self.session.result(verb, request, is_accepted, at(second));
    }

    /// Whose profile was accepted, before or behind a request that is under way.
    fn holder(&self) -> Option<String> {
        holder(&self.session)
    }
}

fn holder(session: &Session) -> Option<String> {
    let hold = match &session.state {
        State::Free => None,
        State::Pending { before, .. } => before.as_ref(),
        State::Held(hold) => Some(hold),
    };
    hold.map(|hold| hold.party.to_string())
}

const EMSP: &str = "DE/MSA";
const SCSP: &str = "BE/SCS";

// ECI-06, ECI-07
#[test]
fn the_tokens_owner_and_who_has_a_contract_may_ask_and_nobody_else() {
    let mut scene = Scene::new();
    for verb in [Verb::Get, Verb::Put, Verb::Delete] {
        for stranger in ["DE/XXX", "BE/XXX", "NL/CPA"] {
            assert_eq!(scene.ask(stranger, verb, "r", 0), Err(Refused::Stranger));
        }
    }
    assert_eq!(scene.session, Scene::new().session, "a no leaves no trace");
    scene.ask("de/msa", Verb::Get, "r", 0).unwrap();
    scene.ask(SCSP, Verb::Get, "r", 0).unwrap();
    // Of a session nobody has seen, any eMSP may be the owner.
    scene.session.emsp = None;
    scene.ask("DE/XXX", Verb::Get, "r", 0).unwrap();
    assert_eq!(scene.ask("BE/XXX", Verb::Get, "r", 0), Err(Refused::Stranger));
}

// ECI-09
#[test]
fn whoever_comes_second_may_read_and_nothing_else_until_the_first_lets_go() {
    let mut scene = Scene::new();
    scene.put(SCSP, "p1", 0).unwrap();
    for second in [0, 50] {
        assert_eq!(scene.put(EMSP, "p2", second), Err(Refused::Controlled));
        assert_eq!(scene.ask(EMSP, Verb::Delete, "d", second), Err(Refused::Controlled));
        scene.ask(EMSP, Verb::Get, "g", second).unwrap();
        scene.session.answered("p1", Answered::Accepted(30), at(1));
        scene.result(Verb::Put, "p1", true, 2);
    }
    assert_eq!(scene.holder().as_deref(), Some(SCSP));
    scene.ask(SCSP, Verb::Delete, "d1", 100).unwrap();
    assert_eq!(
        scene.put(EMSP, "p3", 100),
        Err(Refused::Controlled),
        "not before it is done"
    );
    scene.result(Verb::Delete, "d1", true, 101);
    scene.put(EMSP, "p3", 101).unwrap();
    let told = scene.session.told(&scene.contracts, at(101));
    assert_eq!(told, [itself(SCSP)], "S-43: until the session ends");
}

// ECI-15
#[test]
fn control_goes_back_when_the_cpo_says_no_at_once_or_later_or_nothing_at_all() {
    let mut scene = Scene::new();
    scene.put(SCSP, "p1", 0).unwrap();
    scene.session.answered("p1", Answered::No, at(1));
    assert_eq!(scene.session.state, State::Free);
    scene.put(SCSP, "p2", 1).unwrap();
    scene.session.answered("p2", Answered::Accepted(30), at(2));
    scene.result(Verb::Put, "p2", false, 3);
    assert_eq!(scene.session.state, State::Free);
    // Nothing at all: as long as the first answer may take, and sixty seconds.
    scene.put(SCSP, "p3", 10).unwrap();
    assert_eq!(scene.put(EMSP, "q", 79), Err(Refused::Controlled));
    scene.put(EMSP, "q", 80).unwrap();
    // A result that was promised is waited for sixty seconds longer than the CPO said.
    scene.session.answered("q", Answered::Accepted(30), at(81));
    assert_eq!(scene.put(SCSP, "r", 170), Err(Refused::Controlled));
    scene.put(SCSP, "r", 171).unwrap();
    assert!(scene.session.told(&scene.contracts, at(171)).is_empty());
}

// ECI-09
#[test]
fn a_no_to_the_newer_of_two_requests_leaves_the_older_one_under_way() {
    let mut scene = Scene::new();
    scene.put(SCSP, "p1", 0).unwrap();
    scene.session.answered("p1", Answered::Accepted(300), at(0));
    scene.put(SCSP, "p2", 1).unwrap();
    scene.session.answered("p2", Answered::No, at(1));
    assert_eq!(
        scene.put(EMSP, "q", 2),
        Err(Refused::Controlled),
        "p1 may still be accepted"
    );
    scene.put(SCSP, "p3", 3).unwrap();
    // p3 is given up after 70 seconds, p1 not before 360.
    assert_eq!(scene.put(EMSP, "q", 359), Err(Refused::Controlled));
    scene.put(EMSP, "q", 360).unwrap();
}

// ECI-09, ECI-16
#[test]
fn a_late_result_counts_while_nobody_else_steers_and_each_counts_once() {
    let mut scene = Scene::new();
    scene.put(SCSP, "p1", 0).unwrap();
    scene.result(Verb::Put, "p1", true, 1000);
    assert_eq!(scene.holder().as_deref(), Some(SCSP), "free by then: as if in time");
    scene.ask(SCSP, Verb::Delete, "d1", 1000).unwrap();
    scene.result(Verb::Delete, "d1", true, 1001);
    scene.result(Verb::Put, "p1", true, 1002);
    assert_eq!(scene.holder(), None, "told a second time it is no news");
    scene.put(SCSP, "p2", 1100).unwrap();
    scene.put(EMSP, "p3", 2000).unwrap();
    scene.result(Verb::Put, "p2", true, 2001);
    assert!(matches!(&scene.session.state, State::Pending { asked, .. } if asked.party == party(EMSP)));
    scene.result(Verb::Put, "p3", true, 2002);
    assert_eq!(scene.holder().as_deref(), Some(EMSP));
    scene.result(Verb::Put, "never asked", true, 2003);
    assert_eq!(scene.holder().as_deref(), Some(EMSP));
}

// ECI-03
#[test]
fn a_removal_asked_for_before_a_newer_profile_does_not_remove_that_one() {
    let mut scene = Scene::new();
    scene.put(SCSP, "p1", 0).unwrap();
    scene.result(Verb::Put, "p1", true, 1);
    scene.ask(SCSP, Verb::Delete, "d1", 2).unwrap();
    scene.put(SCSP, "p2", 3).unwrap();
    scene.ask(SCSP, Verb::Delete, "d2", 4).unwrap();
    scene.result(Verb::Put, "p2", true, 5);
    scene.result(Verb::Delete, "d1", true, 6);
    assert_eq!(scene.holder().as_deref(), Some(SCSP));
    scene.result(Verb::Delete, "d2", true, 7);
    assert_eq!(scene.holder(), None);
}

// ECI-07, ECI-09
#[test]
fn what_somebody_holds_ends_with_the_right_it_rests_on() {
    let mut scene = Scene::new();
    scene.put(SCSP, "p1", 0).unwrap();
    scene.result(Verb::Put, "p1", true, 1);
    scene.contracts.clear();
    assert!(scene.session.told(&scene.contracts, at(2)).is_empty());
    scene.put(EMSP, "p2", 2).unwrap();
    scene.result(Verb::Put, "p2", false, 3);
    assert_eq!(scene.holder(), None, "nothing to go back to");
    // Another eMSP pays by now.
    scene.put(EMSP, "p3", 100).unwrap();
    scene.result(Verb::Put, "p3", true, 101);
    scene.session.seen(Seen {
        emsp: Some(party("DE/NEW")),
        ..Seen::default()
    });
    scene.put("DE/NEW", "p4", 102).unwrap();
    assert_eq!(scene.put(EMSP, "p5", 102), Err(Refused::Stranger));
}

// ECI-17, ECI-18
#[test]
fn a_session_that_is_over_is_nobodys_and_stays_over() {
    let mut scene = Scene::new();
    scene.put(SCSP, "p1", 0).unwrap();
    scene.result(Verb::Put, "p1", true, 1);
    scene.ask(SCSP, Verb::Get, "g", 1).unwrap();
    let over = Seen {
        is_over: true,
        ..Seen::default()
    };
    scene.session.seen(over);
    assert!(scene.session.told(&scene.contracts, at(2)).is_empty() && scene.holder().is_none());
    scene.session.seen(Seen {
        emsp: Some(party("DE/XXX")),
        ..Seen::default()
    });
    assert!(scene.session.is_over && scene.session.emsp == Some(party(EMSP)));
    // The CPO knows better: it is asked, and whatever it says nobody holds anything.
    scene.put(EMSP, "p2", 3).unwrap();
    scene.session.answered("p2", Answered::Accepted(30), at(3));
    scene.result(Verb::Put, "p2", true, 4);
    assert_eq!(scene.holder(), None);
}

// ECI-21
#[test]
fn who_asks_too_often_hears_how_long_and_a_removal_is_free_for_each_profile() {
    let mut scene = Scene::new();
    for request in ["p1", "p2", "p3"] {
        scene.put(SCSP, request, 0).unwrap();
        scene.session.answered(request, Answered::Accepted(30), at(0));
    }
    let minute = Refused::TooOften(TimeDelta::seconds(60));
    assert_eq!(scene.put(SCSP, "p4", 0), Err(minute));
    for request in ["d1", "d2", "d3"] {
        scene.ask(SCSP, Verb::Delete, request, 0).unwrap();
    }
    assert_eq!(scene.ask(SCSP, Verb::Delete, "d4", 0), Err(minute));
    for _ in 0..3 {
        scene.ask(SCSP, Verb::Get, "g", 0).unwrap();
    }
    let half = Refused::TooOften(TimeDelta::seconds(30));
    assert_eq!(scene.ask(SCSP, Verb::Get, "g", 0), Err(half));
    // Each has a bucket of its own, and a no for another reason takes nothing out.
    for _ in 0..9 {
        assert_eq!(scene.put(EMSP, "q", 0), Err(Refused::Controlled));
    }
    scene.session.free(at(0));
    for request in ["q1", "q2", "q3"] {
        scene.put(EMSP, request, 0).unwrap();
    }
    assert_eq!(scene.put(EMSP, "q4", 0), Err(minute));
}

const DELEGATE: &str = "FR/DEL";

// ECI-09, ECI-11
#[test]
fn who_acts_for_an_emsp_steers_in_its_name_and_is_another_than_the_emsp() {
    let mut scene = Scene::new();
    assert_eq!(scene.put(DELEGATE, "p", 0), Err(Refused::Stranger));
    scene.contracts.push(t2());
    let (emsp, delegate, other) = (party(EMSP), party(DELEGATE), party("DE/XXX"));
    let ask = |name| Ask {
        party: &delegate,
        is_emsp: false,
        name,
        verb: Verb::Put,
        request: "p1",
        answer_within: TimeDelta::seconds(10),
    };
    let mut session = scene.session.clone();
    assert_eq!(
        session.admit(&ask(Name::Own), &scene.contracts, &LIMITS, at(0)),
        Err(Refused::Stranger)
    );
    assert_eq!(
        session.admit(&ask(Name::Of(&other)), &scene.contracts, &LIMITS, at(0)),
        Err(Refused::Stranger)
    );
    for name in [Name::Any, Name::Of(&emsp)] {
        let mut session = scene.session.clone();
        assert_eq!(
            session.admit(&ask(name), &scene.contracts, &LIMITS, at(0)),
            Ok(Some(emsp.clone()))
        );
    }
    scene.put(DELEGATE, "p1", 0).unwrap();
    scene.result(Verb::Put, "p1", true, 1);
    assert_eq!(
        scene.put(EMSP, "p2", 2),
        Err(Refused::Controlled),
        "topologies are not mixed"
    );
    let told = scene.session.told(&scene.contracts, at(2));
    assert_eq!(
        (told.len(), &told[0].party, &told[0].acts_for),
        (1, &party(DELEGATE), &Some(emsp))
    );
    // With its contract ends what it holds; the eMSP never lost its right.
    scene.contracts.retain(|one| one.id == "C");
    assert!(scene.session.told(&scene.contracts, at(3)).is_empty());
    scene.put(EMSP, "p3", 3).unwrap();
}

// ECI-09
#[test]
fn a_provider_that_two_let_steer_does_not_change_names_while_it_steers() {
    let mut scene = Scene::new();
    let both = Contract {
        scsp: party(SCSP),
        ..t2()
    };
    scene.contracts = vec![both.clone()];
    scene.put(SCSP, "p1", 0).unwrap();
    scene.result(Verb::Put, "p1", true, 1);
    scene.contracts = vec![contract(), both];
    let provider = party(SCSP);
    let ask = |name, verb, request| Ask {
        party: &provider,
        is_emsp: false,
        name,
        verb,
        request,
        answer_within: TimeDelta::seconds(10),
    };
    let emsp = Ok(Some(party(EMSP)));
    let mut session = scene.session.clone();
    assert_eq!(
        session.admit(&ask(Name::Own, Verb::Put, "p2"), &scene.contracts, &LIMITS, at(2)),
        Err(Refused::Controlled)
    );
    assert_eq!(
        session.admit(&ask(Name::Any, Verb::Delete, "d1"), &scene.contracts, &LIMITS, at(2)),
        emsp
    );
    session.result(Verb::Delete, "d1", true, at(3));
    assert_eq!(
        session.admit(&ask(Name::Any, Verb::Put, "p3"), &scene.contracts, &LIMITS, at(4)),
        Ok(None),
        "its own right first"
    );
}

// ECI-09
#[test]
fn precedence_keeps_the_one_out_and_lets_whoever_holds_let_go() {
    let mut scene = Scene::new();
    scene.put(EMSP, "p1", 0).unwrap();
    scene.result(Verb::Put, "p1", true, 1);
    scene.contracts = vec![with(Precedence::Cpo), t2()];
    assert_eq!(
        scene.put(SCSP, "p2", 2),
        Err(Refused::Controlled),
        "until the holder lets go"
    );
    assert_eq!(scene.put(EMSP, "p2", 2), Err(Refused::Outranked));
    scene.ask(EMSP, Verb::Get, "g", 2).unwrap();
    scene.ask(EMSP, Verb::Delete, "d1", 2).unwrap();
    scene.result(Verb::Delete, "d1", true, 3);
    for outranked in [EMSP, DELEGATE] {
        assert_eq!(scene.put(outranked, "p3", 4), Err(Refused::Outranked));
        assert_eq!(scene.ask(outranked, Verb::Delete, "d", 4), Err(Refused::Outranked));
    }
    scene.put(SCSP, "p4", 4).unwrap();
    scene.result(Verb::Put, "p4", false, 5);
    // The eMSP has steered this one; another it has not.
    scene.contracts = vec![with(Precedence::Emsp)];
    assert_eq!(scene.put(SCSP, "p5", 6), Err(Refused::Outranked));
    let mut another = Scene::new();
    another.contracts = vec![with(Precedence::Emsp)];
    another.put(SCSP, "p1", 0).unwrap();
    another.result(Verb::Put, "p1", true, 1);
    assert_eq!(
        another.put(EMSP, "p2", 2),
        Err(Refused::Controlled),
        "until the holder lets go"
    );
    another.put(SCSP, "p3", 2).unwrap();
}

// ---- against a model ----

const WHO: [&str; 4] = [EMSP, SCSP, "DE/XXX", DELEGATE];

const PLENTY: Limits = Limits {
    put: Rate {
        burst: 1000,
        interval_s: 1,
    },
    get: Rate {
        burst: 1000,
        interval_s: 1,
    },
};

#[derive(Clone, Debug)]
enum Event {
    Ask(usize, Verb),
    Answered(usize, Answered),
    Result(usize, bool),
    Pass(i64),
    Contract(Option<Precedence>),
    Delegation(bool),
    TokenOf(usize),
    Freed,
    Ended,
    /// Written into its row and read by another process.
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (0_usize..4, prop_oneof![4 => Just(Verb::Put), 2 => Just(Verb::Delete), 1 => Just(Verb::Get)])
            .prop_map(|(who, verb)| Event::Ask(who, verb)),
        4 => (0_usize..12, prop_oneof![(0_u64..300).prop_map(Answered::Accepted), Just(Answered::No)])
            .prop_map(|(back, answered)| Event::Answered(back, answered)),
        6 => (0_usize..12, any::<bool>()).prop_map(|(back, accepted)| Event::Result(back, accepted)),
        4 => (0_i64..200).prop_map(Event::Pass),
        1 => prop_oneof![
            Just(None), Just(Some(Precedence::First)), Just(Some(Precedence::Cpo)), Just(Some(Precedence::Emsp)),
        ].prop_map(Event::Contract),
        1 => any::<bool>().prop_map(Event::Delegation),
        1 => (0_usize..3).prop_map(Event::TokenOf),
        1 => Just(Event::Freed),
        1 => Just(Event::Ended),
        3 => Just(Event::Restart),
    ]
}

/// What there is to know, in the plainest words: who holds, whose request is under way, whose result is still waited for.
#[derive(Default)]
struct Model {
    now: i64,
    owner: usize,
    /// The CPO's contract with the provider.
    contract: Option<Precedence>,
    /// The first eMSP's with who acts for it.
    has_delegate: bool,
    is_over: bool,
    holder: Option<usize>,
    under_way: Option<usize>,
    /// Who, and whether by a contract of the CPO's.
    told: Vec<(usize, bool)>,
    asked: Vec<(usize, Verb)>,
    by_contract: Vec<bool>,
    /// Until when each keeps others out.
    until: Vec<i64>,
    /// Of `asked`, those whose result still counts, in the order in which they came to wait.
    waiting: Vec<usize>,
}

impl Model {
    fn may(&self, who: usize) -> bool {
        who == self.owner || (who == 1 && self.contract.is_some()) || (who == 3 && self.has_delegate && self.owner == 0)
    }

    fn is_by_contract(&self, who: usize) -> bool {
        who == 1 && who != self.owner
    }

    fn is_outranked(&self, who: usize) -> bool {
        match self.contract {
            Some(Precedence::Cpo) => !self.is_by_contract(who),
            Some(Precedence::Emsp) => self.is_by_contract(who) && self.told.iter().any(|(_, by_contract)| !by_contract),
            Some(Precedence::First) | None => false,
        }
    }

    fn pass(&mut self) {
        if let Some(asked) = self.under_way.filter(|one| self.until[*one] <= self.now) {
            self.put_aside();
            self.next_in_time(asked);
        }
    }

    /// The request under way is followed by another, or its time is over.
    fn put_aside(&mut self) {
        if let Some(asked) = self.under_way.take() {
            self.wait(asked);
        }
    }

    /// Another request of the same party may still be in time.
    fn next_in_time(&mut self, done: usize) {
        let sets = |one: &usize| self.asked[*one] == (self.asked[done].0, Verb::Put) && self.until[*one] > self.now;
        let next = self
            .waiting
            .iter()
            .copied()
            .filter(sets)
            .max_by_key(|one| self.until[*one]);
        if let Some(next) = next {
            self.waiting.retain(|one| *one != next);
            self.under_way = Some(next);
        }
    }

    fn wait(&mut self, asked: usize) {
        let verb = self.asked[asked].1;
        let alike: Vec<usize> = self
            .waiting
            .iter()
            .copied()
            .filter(|one| self.asked[*one].1 == verb)
            .collect();
        if alike.len() >= REMEMBERED {
            self.waiting.retain(|one| *one != alike[0]);
        }
        self.waiting.push(asked);
    }

    fn ask(&mut self, who: usize, verb: Verb) -> Result<(), Refused> {
        if !self.may(who) {
            return Err(Refused::Stranger);
        }
        let mut then = Model {
            told: Vec::new(),
            by_contract: Vec::new(),
            asked: self.asked.clone(),
            until: self.until.clone(),
            waiting: self.waiting.clone(),
            ..*self
        };
        then.pass();
        let steering = then.under_way.map(|asked| self.asked[asked].0).or(self.holder);
        let busy = match then.under_way {
            Some(asked) => Some(self.asked[asked].0),
            None => self.holder.filter(|holder| self.may(*holder)),
        };
        if verb != Verb::Get && busy.is_some_and(|busy| busy != who) {
            return Err(Refused::Controlled);
        }
        let lets_go = verb == Verb::Delete && steering == Some(who);
        if verb != Verb::Get && !lets_go && self.is_outranked(who) {
            return Err(Refused::Outranked);
        }
        self.pass();
        self.by_contract.push(self.is_by_contract(who));
        self.asked.push((who, verb));
        self.until.push(self.now + 70);
        let asked = self.asked.len() - 1;
        match verb {
            Verb::Put if !self.is_over => {
                self.holder = self.holder.filter(|holder| *holder == who);
                self.put_aside();
                self.under_way = Some(asked);
            }
            Verb::Delete if !self.is_over => self.wait(asked),
            _ => {}
        }
        Ok(())
    }

    fn answered(&mut self, asked: usize, answered: Answered) {
        match answered {
            Answered::No => self.forget(asked),
            Answered::Accepted(timeout) if self.asked[asked].1 == Verb::Put => {
                self.until[asked] = self.now + timeout as i64 + 60
            }
            Answered::Accepted(_) => {}
        }
    }

    fn forget(&mut self, asked: usize) {
        self.waiting.retain(|one| *one != asked);
        if self.under_way.take_if(|one| *one == asked).is_some() {
            self.next_in_time(asked);
        }
    }

    fn result(&mut self, asked: usize, is_accepted: bool) {
        self.pass();
        let is_under_way = self.under_way == Some(asked);
        if !is_under_way && !self.waiting.contains(&asked) {
            return;
        }
        match is_accepted {
            false => self.forget(asked),
            true => {
                self.waiting.retain(|one| *one != asked);
                self.under_way.take_if(|one| *one == asked);
            }
        }
        let (who, verb) = self.asked[asked];
        let another = |other: Option<usize>| other.is_some_and(|other| other != who);
        let steers_another = another(self.holder) || another(self.under_way.map(|one| self.asked[one].0));
        if !is_accepted || steers_another {
            return;
        }
        match verb {
            Verb::Put => {
                self.holder = Some(who);
                let all = &self.asked;
                self.waiting.retain(|one| all[*one].1 != Verb::Delete || *one > asked);
                if !self.told.iter().any(|(told, _)| *told == who) {
                    self.told.push((who, self.by_contract[asked]));
                }
            }
            Verb::Delete => self.holder = None,
            Verb::Get => {}
        }
    }

    fn end(&mut self) {
        self.is_over = true;
        (self.holder, self.under_way) = (None, None);
        self.told.clear();
        self.waiting.clear();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    // ECI-09, ECI-17
    #[test]
    fn whatever_happens_in_whatever_order_the_ledger_is_as_the_model_says(events in proptest::collection::vec(event(), 1..60)) {
        let mut scene = Scene::new();
        let mut model = Model { contract: Some(Precedence::First), ..Model::default() };
        for event in events {
            let now = at(model.now);
            // The one so many requests back; a GET's result changes nothing.
            let back = |back: usize, model: &Model| model.asked.len().checked_sub(back + 1);
            match &event {
                Event::Ask(who, verb) => {
                    let request = model.asked.len().to_string();
                    let asker = party(WHO[*who]);
                    let ask = Ask {
                        party: &asker, is_emsp: *who % 2 == 0, name: Name::Any, verb: *verb, request: &request,
                        answer_within: TimeDelta::seconds(10),
                    };
                    let said = scene.session.admit(&ask, &scene.contracts, &PLENTY, now);
                    let acts_for = (*who == 3).then(|| party(EMSP));
                    prop_assert_eq!(said, model.ask(*who, *verb).map(|()| acts_for), "{:?}", event);
                }
                Event::Answered(so_many, answered) => if let Some(asked) = back(*so_many, &model) {
                    scene.session.answered(&asked.to_string(), *answered, now);
                    model.answered(asked, *answered);
                },
                Event::Result(so_many, is_accepted) => if let Some(asked) = back(*so_many, &model) {
                    let verb = model.asked[asked].1;
                    scene.session.result(verb, &asked.to_string(), *is_accepted, now);
                    model.result(asked, *is_accepted);
                },
                Event::Pass(seconds) => model.now += seconds,
                Event::Contract(precedence) => model.contract = *precedence,
                Event::Delegation(holds) => model.has_delegate = *holds,
                Event::TokenOf(who) => {
                    scene.session.seen(Seen { emsp: Some(party(WHO[*who])), ..Seen::default() });
                    if !model.is_over {
                        model.owner = *who;
                    }
                }
                Event::Freed => {
                    scene.session.free(now);
                    model.pass();
                    model.holder = None;
                    model.put_aside();
                    let (all, now) = (&model.asked, model.now);
                    model.until.iter_mut().for_each(|until| *until = now.min(*until));
                    model.waiting.retain(|one| all[*one].1 == Verb::Put);
                }
                Event::Ended => {
                    scene.session.seen(Seen { is_over: true, ..Seen::default() });
                    model.end();
                }
                Event::Restart => {
                    let row = serde_json::to_string(&scene.session).unwrap();
                    let again: Session = serde_json::from_str(&row).unwrap();
                    prop_assert_eq!(&again, &scene.session);
                    scene.session = again;
                }
            }
            scene.contracts = model.contract.map(with).into_iter().chain(model.has_delegate.then(t2)).collect();
            let mut seen = scene.session.clone();
            seen.let_time_pass(at(model.now));
            model.pass();
            let under_way = match &seen.state {
                State::Pending { asked, .. } => Some((asked.request.clone(), asked.until)),
                _ => None,
            };
            let expected = model.under_way.map(|one| (one.to_string(), at(model.until[one])));
            prop_assert_eq!(under_way, expected, "{:?}", event);
            // Only looked at: in its row it stays as it was written, whatever time has passed.
            prop_assert_eq!(holder(&seen), model.holder.map(|who| WHO[who].to_owned()), "{:?}", event);
            let still = model.told.iter().map(|(who, _)| *who).filter(|who| model.may(*who));
            let told: Vec<Told> = still
                .map(|who| Told { acts_for: (who == 3).then(|| party(EMSP)), ..itself(WHO[who]) })
                .collect();
            prop_assert_eq!(scene.session.told(&scene.contracts, at(model.now)), told);
        }
    }
}
