//! From readings to a begin and an end: which register is billed, and whether the two readings can belong together.
//!
//! signed-metering-formats.md 5.4 (the register) and 5.5 (the pair).

use chrono::TimeDelta;

use super::finding::{Code, Finding, Place};
use super::reading::{Condition, Marker, Obis, Reading, TimeStatus};

/// Most energy registers of one record that are considered. OCMF 1.4 defines twelve; more are no meter's idea.
const MAX_REGISTERS: usize = 16;

/// Where a reading stands: record, then reading.
pub(super) type At = (usize, usize);

/// The readings of one record, as far as the pair is concerned.
pub(super) struct Sheet<'r> {
    /// Index of the record in the list that is examined.
    pub record: usize,
    /// Its readings; the billed ones get marked.
    pub readings: &'r mut [Reading],
    /// Whether its format has one register and nothing to choose.
    pub has_one_register: bool,
}

/// What was made of the readings.
#[derive(Default)]
pub(super) struct Pair {
    pub begin: Option<At>,
    pub end: Option<At>,
    pub findings: Vec<Finding>,
}

/// Finds begin and end in the sheets, which stand in the order of the session. `complete` asks for both to be there.
pub(super) fn pair(sheets: &mut [Sheet<'_>], complete: bool) -> Pair {
    let mut pair = Pair::default();
    pair.mark_billed(sheets);
    // Where there was nothing to choose, a record alone is not asked whether its register may be billed; beside others, whether it is theirs.
    let any_billed = sheets
        .iter()
        .any(|sheet| sheet.readings.iter().any(|reading| reading.billed));
    for sheet in sheets
        .iter_mut()
        .filter(|sheet| sheet.has_one_register && (!complete || any_billed))
    {
        for reading in sheet.readings.iter_mut() {
            reading.billed |= reading.is_energy();
        }
    }
    let billed = |sheets: &[Sheet<'_>]| -> Vec<At> {
        (0..sheets.len())
            .flat_map(|sheet| (0..sheets[sheet].readings.len()).map(move |reading| (sheet, reading)))
            .filter(|(sheet, reading)| sheets[*sheet].readings[*reading].billed)
            .collect()
    };
    let billed = billed(sheets);
    let sheets = &*sheets;
    let reading = |at: At| &sheets[at.0].readings[at.1];
    let place = |at: At| Place::Record(sheets[at.0].record);

    for sheet in sheets {
        if sheet
            .readings
            .iter()
            .any(|reading| reading.marker == Some(Marker::Exception))
        {
            pair.add(
                Code::ExceptionMarker,
                Place::Record(sheet.record),
                "the meter marks an exception: its readings cannot be relied on from there",
            );
        }
    }
    if billed.is_empty() {
        let at = if let [only] = sheets {
            Place::Record(only.record)
        } else {
            Place::Session
        };
        pair.add(
            Code::NoBillingRegister,
            at,
            "no reading belongs to a register that counts energy drawn from the grid or the station",
        );
        return pair;
    }

    let begins = begins(sheets, &billed);
    let is_end = |at: &At| reading(*at).marker.as_ref().is_some_and(Marker::is_end);
    let mut ends = billed.iter().copied().filter(is_end);
    let (first_end, second_end) = (ends.next(), ends.next());
    if let Some(second) = begins.get(1) {
        pair.add(Code::MultipleBegin, place(*second), "there is more than one begin");
    }
    if let Some(second) = second_end {
        pair.add(Code::MultipleEnd, place(second), "there is more than one end");
    }
    if complete && begins.is_empty() {
        pair.add(
            Code::MissingBegin,
            Place::Session,
            "there is no reading from the begin of the session",
        );
    }
    if complete && first_end.is_none() {
        pair.add(
            Code::MissingEnd,
            Place::Session,
            "there is no reading from the end of the session",
        );
    }
    for at in billed
        .iter()
        .copied()
        .filter(|at| begins.contains(at) || is_end(at) || reading(*at).marker.is_none())
    {
        pair.check_state(reading(at), place(at));
    }
    pair.begin = begins.first().copied();
    pair.end = ends.next_back().or(second_end).or(first_end);
    if let Some(begin) = pair.begin {
        for at in billed.iter().copied().filter(|at| !begins.contains(at)) {
            pair.check_course(reading(begin), reading(at), pair.end.map(reading), place(at));
        }
        if let Some(end) = pair.end {
            pair.check_pair(reading(begin), reading(end), place(end));
        }
    }
    let original = |at: At| (sheets[at.0].record, at.1);
    pair.begin = pair.begin.map(original);
    pair.end = pair.end.map(original);
    pair
}

/// Begin readings, the first two; a second one is fatal and further ones say nothing new. One that a later record merely repeats beside its end
/// is not a second begin (multiple-reading mode, 2.3).
fn begins(sheets: &[Sheet<'_>], billed: &[At]) -> Vec<At> {
    let ends: Vec<bool> = sheets
        .iter()
        .map(|sheet| {
            sheet
                .readings
                .iter()
                .any(|other| other.billed && other.marker.as_ref().is_some_and(Marker::is_end))
        })
        .collect();
    let mut begins: Vec<At> = Vec::new();
    for at in billed.iter().copied() {
        let reading = &sheets[at.0].readings[at.1];
        if reading.marker != Some(Marker::Begin) || begins.len() == 2 {
            continue;
        }
        let repeats = begins.iter().any(|first| {
            let first_reading = &sheets[first.0].readings[first.1];
            first.0 != at.0
                && first_reading.kilowatt_hours() == reading.kilowatt_hours()
                && first_reading.time.instant == reading.time.instant
                && same_register(first_reading, reading)
        });
        if !(ends[at.0] && repeats) {
            begins.push(at);
        }
    }
    begins
}

/// Whether time runs back from begin to end: on the clock, or on the counter of operating seconds that nobody can set. Where only local time is
/// signed, the clock may be turned back by the hour of the autumn change while that counter goes on (17).
fn runs_back(begin: &Reading, end: &Reading) -> bool {
    let counted = begin.operating_seconds.zip(end.operating_seconds);
    if counted.is_some_and(|(first, last)| last < first) {
        return true;
    }
    let Some((first, last)) = begin.time.instant.zip(end.time.instant) else {
        return false;
    };
    let is_local = begin.time.status == TimeStatus::Unzoned && end.time.status == TimeStatus::Unzoned;
    let forgiven = match counted {
        Some((first, last)) if is_local && last > first => TimeDelta::hours(1),
        _ => TimeDelta::zero(),
    };
    first - last > forgiven
}

fn same_register(one: &Reading, other: &Reading) -> bool {
    matches!((one.obis, other.obis), (Some(one), Some(other)) if one.is_same_register(other))
}

impl Pair {
    fn add(&mut self, code: Code, place: Place, message: &str) {
        if !self
            .findings
            .iter()
            .any(|finding| finding.code == code && finding.place == place)
        {
            self.findings.push(Finding::new(code, place, message));
        }
    }

    /// Chooses the register (5.4) and marks its readings. One register for the whole session where one is in every record; otherwise each
    /// record's best, and the comparison of begin and end finds the mismatch.
    fn mark_billed(&mut self, sheets: &mut [Sheet<'_>]) {
        let mut offered: Vec<Vec<Obis>> = Vec::with_capacity(sheets.len());
        for sheet in sheets.iter() {
            let energy = |reading: &&Reading| reading.obis.is_some_and(Obis::may_be_billed);
            if sheet.readings.iter().filter(energy).any(|reading| !reading.is_energy()) {
                self.add(
                    Code::UnitNotEnergy,
                    Place::Record(sheet.record),
                    "an energy register comes in a unit that is not one of energy",
                );
            }
            let mut registers: Vec<Obis> = Vec::new();
            for obis in sheet
                .readings
                .iter()
                .filter(energy)
                .filter(|reading| reading.is_energy())
                .filter_map(|reading| reading.obis)
            {
                if registers.len() < MAX_REGISTERS && !registers.iter().any(|seen| seen.is_same_register(obis)) {
                    registers.push(obis);
                }
            }
            if registers.iter().any(|obis| obis.is_compensated()) {
                registers.retain(|obis| obis.is_compensated());
            }
            // Import before export, a register of this transaction before one of the meter's whole life; otherwise as the record lists them.
            registers.sort_by_key(|obis| (obis.is_export(), !obis.is_of_transaction()));
            offered.push(registers);
        }
        let in_every_record = offered.iter().flatten().copied().find(|candidate| {
            offered
                .iter()
                .filter(|registers| !registers.is_empty())
                .all(|registers| registers.iter().any(|obis| obis.is_same_register(*candidate)))
        });
        for (sheet, registers) in sheets.iter_mut().zip(&offered) {
            let Some(chosen) = in_every_record.or(registers.first().copied()) else {
                continue;
            };
            for reading in sheet.readings.iter_mut() {
                reading.billed = reading.is_energy() && reading.obis.is_some_and(|obis| obis.is_same_register(chosen));
            }
        }
    }

    /// What the meter says about one billed reading.
    fn check_state(&mut self, reading: &Reading, place: Place) {
        if reading.energy_unusable {
            self.add(
                Code::EnergyErrorFlag,
                place,
                "the meter calls the energy of this reading unusable",
            );
        }
        if reading.time_unusable {
            self.add(
                Code::TimeErrorFlag,
                place,
                "the meter calls the time of this reading unusable for time tariffs",
            );
        }
        match reading.condition {
            Condition::Unstated => self.add(
                Code::MeterStatusMissing,
                place,
                "the meter says nothing about its state",
            ),
            Condition::Faulty => self.add(Code::MeterStatusNotOk, place, "the meter reports an error"),
            Condition::Good => {}
        }
        if reading.kilowatt_hours().is_none() {
            self.add(
                Code::ReadingUnreadable,
                place,
                "the reading is not a number that can be kept exactly",
            );
        }
        if matches!(reading.time.status, TimeStatus::Unknown | TimeStatus::Informative) {
            self.add(
                Code::TimeNotSynchronised,
                place,
                "the meter does not vouch for its clock",
            );
        }
    }

    /// A reading taken during the session must lie between its begin and its end.
    fn check_course(&mut self, begin: &Reading, reading: &Reading, end: Option<&Reading>, place: Place) {
        let (Some(first), Some(value)) = (begin.kilowatt_hours(), reading.kilowatt_hours()) else {
            return;
        };
        let unusable = reading.energy_unusable || reading.condition != Condition::Good;
        let is_end = reading.marker.as_ref().is_some_and(Marker::is_end);
        if unusable && !is_end {
            return;
        }
        let beyond_end = !is_end && end.and_then(Reading::kilowatt_hours).is_some_and(|last| value > last);
        if value < first || beyond_end {
            self.add(
                Code::MeterWentBackwards,
                place,
                "a later reading is lower than an earlier one",
            );
        }
    }

    /// What begin and end say about each other.
    fn check_pair(&mut self, begin: &Reading, end: &Reading, place: Place) {
        if runs_back(begin, end) {
            self.add(Code::TimeWentBackwards, place, "the end lies before the begin");
        }
        if !same_register(begin, end) {
            self.add(
                Code::RegisterMismatch,
                place,
                "begin and end are of different registers",
            );
        }
        if begin.time.status == TimeStatus::Relative && end.time.status != TimeStatus::Relative {
            self.add(
                Code::TimeSyncInconsistent,
                place,
                "the begin counts relative time, the end does not",
            );
        }
        if let (Some(before), Some(after)) = (&begin.event_counter, &end.event_counter)
            && before != after
        {
            self.add(
                Code::EventCounterChanged,
                place,
                "the event counter of the meter changed during the session",
            );
        }
    }
}
