//! What the registry learns is held against the CDRs it is about, and against no others.
//!
//! ```text
//!  registry: changes since N ──► entered once, with the names CDRs ask by ──► leased, portion by portion ──► second looks
//!                                                                                       ▲                          │
//!                        traces: which CDR would ask by which name ─────────────────────┘     another verdict only if it says
//!                                                                                             something else
//! ```
//!
//! Takes no input: what is to be done is in the database. Any number of processes may do it; each change is entered by one of them and worked
//! off by one at a time, and when that one is killed another goes on at the last portion it noted. A CDR looked at twice gets no second
//! verdict.
//!
//! Two things could be missed, and are not: CDRs of the time before there were traces are entered first ([`Rechecks::enter_old_cdrs`]), and
//! until they are, no change is worked off; and a CDR that was on its way in while the registry changed is found by a second pass.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::{NoContext, Timestamp, Uuid};

use super::assess::Inquiry;
use super::claim::Claim;
use super::intake::Intake;
use super::recheck::NotNow;
use super::traces;
use crate::clock::SharedClock;
use crate::metering::plausible::Tolerances;
use crate::parties::{Failure, Fault};
use crate::store::evidence::{NewRecheck, RecheckProgress, RecheckRow, Traces};

/// CDRs between two notes of how far it is: as many as a killed process may have looked at in vain.
const PORTION: u32 = 100;

/// CDRs of the time before that are entered at once.
const OLD_CDRS: u32 = 500;

/// Lines of the registry's log that are read at once.
const LINES: u32 = 1000;

/// Longer than anybody leases.
const LONGEST_LEASE: TimeDelta = TimeDelta::days(1);

/// How long after a change a CDR may still be committed that was judged before it. Longer than any commit waits.
const ON_THE_WAY: TimeDelta = TimeDelta::minutes(1);

/// Between two looks when there is nothing to do.
const TICK: Duration = Duration::from_secs(1);

/// Between two walks for CDRs that a program of the time before has taken meanwhile, in ticks.
const TICKS_BETWEEN_WALKS: u32 = 600;

/// Keeps verdicts up with the registry.
pub struct Rechecks {
    intake: Arc<Intake>,
    clock: SharedClock,
    owner: String,
    lease: TimeDelta,
}

impl Rechecks {
    /// For this process. `lease` is how long a portion may take before another process believes that nobody works on it.
    #[must_use]
    pub fn new(intake: Arc<Intake>, clock: SharedClock, lease: Duration) -> Arc<Rechecks> {
        Arc::new(Rechecks {
            intake,
            clock,
            lease: TimeDelta::from_std(lease).unwrap_or(LONGEST_LEASE),
            owner: Uuid::new_v4().to_string(),
        })
    }

    /// Works until aborted, which is safe at any point.
    pub async fn follow(self: Arc<Self>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut until_walk = 0;
        loop {
            tick.tick().await;
            if until_walk == 0 {
                match self.enter_old_cdrs().await {
                    Ok(()) => until_walk = TICKS_BETWEEN_WALKS,
                    // No change is worked off before: what it is about could not be told completely.
                    Err(fault) => {
                        log::error!("{}", fault.chain());
                        continue;
                    }
                }
            }
            until_walk -= 1;
            if let Err(fault) = self.round().await {
                log::error!("{}", fault.chain());
            }
        }
    }

    /// Enters what changed and works off everything that is due. How many CDRs were looked at.
    ///
    /// # Errors
    /// When the database fails; what was done is noted.
    pub async fn round(&self) -> Result<u64, Fault> {
        self.enter_changes().await?;
        let mut looked_at = 0;
        loop {
            let now = self.clock.now();
            let leased = self
                .intake
                .store()
                .recheck_lease(&self.owner, now, now + self.lease)
                .await;
            let Some(change) = leased.map_err(|error| Fault::new("leasing a change of the registry", error))? else {
                return Ok(looked_at);
            };
            // What is to be told is what the registry says with this change.
            let refreshed = self.intake.registry().refresh().await;
            refreshed.map_err(|error| Fault::new("reading the key registry", error))?;
            looked_at += self.work_off(change).await?;
        }
    }

    async fn enter_changes(&self) -> Result<(), Fault> {
        let store = self.intake.store();
        loop {
            let after = store.recheck_cursor().await;
            let after = after.map_err(|error| Fault::new("reading how far changes were entered", error))?;
            let found = self.intake.registry().changes_since(after, LINES).await;
            let found = found.map_err(|error| Fault::new("reading changes of the registry", error))?;
            if found.up_to == after {
                return Ok(());
            }
            let new = found.changes.iter().map(|change| NewRecheck {
                change: change.number,
                subject: change.registration.clone(),
                affected: traces::affected_by(change),
            });
            // Whether we or another process entered them: behind them it goes on.
            store
                .recheck_enter(after, found.up_to, new.collect(), self.clock.now())
                .await
                .map_err(|error| Fault::new("entering changes of the registry", error))?;
        }
    }

    async fn work_off(&self, change: RecheckRow) -> Result<u64, Fault> {
        let store = self.intake.store();
        let noting = |error| Fault::new("noting how far a change was worked off", error);
        let mut place = change.place.clone();
        let mut looked_at = 0;
        loop {
            let found = store.traces_find(&change.affected, &place, PORTION).await;
            let found = found.map_err(|error| Fault::new("looking for the CDRs of a change", error))?;
            let Some(last) = found.last().cloned() else { break };
            let (mut checked, mut changed) = (0, 0);
            for one in &found {
                checked += 1;
                changed += u64::from(self.look_at(&one.row_id).await?);
            }
            looked_at += checked;
            let step = RecheckProgress {
                place: last.clone(),
                checked,
                changed,
                lease_until: self.clock.now() + self.lease,
            };
            if !store
                .recheck_advance(&change.id, &self.owner, step)
                .await
                .map_err(noting)?
            {
                // It took us too long: another process has gone on.
                return Ok(looked_at);
            }
            place = last;
        }
        let now = self.clock.now();
        if change.pass == 1 {
            let (since, due_at) = (just_before(&change.id), change.created_at + ON_THE_WAY);
            store
                .recheck_again(&change, &self.owner, since, due_at)
                .await
                .map_err(noting)?;
        } else {
            store
                .recheck_finish(&change.id, &self.owner, now)
                .await
                .map_err(noting)?;
        }
        Ok(looked_at)
    }

    /// Whether it got another verdict.
    async fn look_at(&self, row_id: &str) -> Result<bool, Fault> {
        let cdr = self.intake.store().cdr_by_row(row_id).await;
        let Some(cdr) = cdr.map_err(|error| Fault::new("reading a CDR", error))? else {
            return Ok(false);
        };
        match self.intake.follow_registry(&cdr, self.clock.now()).await {
            Ok(changed) => Ok(changed),
            Err(NotNow::Failed(Failure::Ours(fault))) => Err(fault),
            // A body that was read once and cannot be read now must not keep the others from their second look.
            Err(other) => {
                log::error!(cdr = row_id; "a second look was not possible: {other}");
                Ok(false)
            }
        }
    }

    /// Enters CDRs that were taken by a program that knew no traces. Goes on where it stopped, in this process or another.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn enter_old_cdrs(&self) -> Result<(), Fault> {
        let store = self.intake.store();
        let walking = |error| Fault::new("entering CDRs of the time before", error);
        let walk = store.traces_walk().await.map_err(walking)?;
        let mut position = walk.position;
        let mut entered = 0;
        loop {
            let (end, missing) = store.traces_missing(&position, OLD_CDRS).await.map_err(walking)?;
            let tolerances = &self.intake.policy().tolerances;
            let traces: Vec<(String, Traces)> = missing
                .iter()
                .map(|cdr| (cdr.id.clone(), traces_of(cdr.body.as_bytes(), tolerances)))
                .collect();
            entered += traces.len();
            store.traces_enter(&traces, end.as_deref()).await.map_err(walking)?;
            match end {
                Some(end) => position = end,
                None => break,
            }
            if entered > 0 {
                log::info!("entered {entered} CDRs of the time before, up to {position}");
            }
        }
        Ok(())
    }
}

/// What a stored CDR would ask for. One that cannot be read asks for nothing.
fn traces_of(body: &[u8], tolerances: &Tolerances) -> Traces {
    Claim::read(body).map_or_else(
        |_| Traces::default(),
        |claim| traces::of(Inquiry::of(&claim, tolerances).question()),
    )
}

/// The id that a CDR would have that arrived a little before this one was made.
fn just_before(id: &str) -> String {
    let made = Uuid::parse_str(id).ok().and_then(|id| id.get_timestamp());
    let (seconds, _) = made.map_or((0, 0), |made| made.to_unix());
    let before = seconds.saturating_sub(u64::try_from(ON_THE_WAY.num_seconds()).unwrap_or(0));
    let first = Uuid::new_v7(Timestamp::from_unix(NoContext, before, 0));
    // The bits behind the instant are random: begin at the lowest.
    first.to_string().split('-').take(2).collect::<Vec<_>>().join("-")
}

/// How far it all is, for people.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Whether all CDRs can be found by their names.
    pub is_complete: bool,
    /// CDRs that are still to be entered.
    pub to_be_entered: u64,
    /// Changes that are not worked off.
    pub unfinished: u64,
    /// The newest changes.
    pub changes: Vec<RecheckRow>,
    /// Now.
    pub at: DateTime<Utc>,
}

impl Rechecks {
    /// How far it all is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn standing(&self, limit: u32) -> Result<Standing, Fault> {
        let store = self.intake.store();
        let reading = |error| Fault::new("reading how far changes are worked off", error);
        let walk = store.traces_walk().await.map_err(reading)?;
        let is_complete = walk.rounds > 0;
        let (changes, unfinished) = store.recheck_list(limit).await.map_err(reading)?;
        Ok(Standing {
            is_complete,
            to_be_entered: match is_complete {
                true => 0,
                false => store.traces_ahead().await.map_err(reading)?,
            },
            unfinished,
            changes,
            at: self.clock.now(),
        })
    }
}
