//! The words the tables are written in: an object, a field of it, how often it occurs, and what it holds.
//!
//! A [`Field`] is shown in the notation of the checklist, `name:str(255)?`, so that table and checklist can be compared.

use std::fmt;

use super::validator::{Members, Severity};

/// One object of the specification.
#[derive(Debug)]
pub struct Structure {
    /// Its row in the checklist: `OBJ-10`.
    pub id: &'static str,
    /// Its name in the specification: `Location`.
    pub name: &'static str,
    /// What it consists of, in the specification's order.
    pub fields: &'static [Field],
    /// What its fields must be to each other.
    pub rules: &'static [Rule],
}

/// The most fields an object has here: the CDR's thirty, rounded up.
pub(super) const FIELDS_LIMIT: usize = 32;

impl Structure {
    /// The field of exactly this name (T-39), with its place in the table.
    pub(super) fn find(&self, name: &str) -> Option<(usize, &'static Field)> {
        self.fields.iter().enumerate().find(|(_, field)| field.name == name)
    }
}

/// One field of an object.
#[derive(Debug)]
pub struct Field {
    /// Its name, as in JSON.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// How often.
    pub cardinality: Cardinality,
    /// How its text looks, where the specification says more than a length.
    pub shape: Option<&'static Shape>,
}

impl Field {
    /// The same field, whose text has a shape.
    pub(super) const fn like(self, shape: &'static Shape) -> Self {
        Self {
            shape: Some(shape),
            ..self
        }
    }

    const fn new(name: &'static str, kind: Kind, cardinality: Cardinality) -> Self {
        Self {
            name,
            kind,
            cardinality,
            shape: None,
        }
    }
}

/// `1`: required.
pub(super) const fn one(name: &'static str, kind: Kind) -> Field {
    Field::new(name, kind, Cardinality::One)
}

/// `?`: optional.
pub(super) const fn maybe(name: &'static str, kind: Kind) -> Field {
    Field::new(name, kind, Cardinality::ZeroOrOne)
}

/// `*`: a list that may be empty or absent.
pub(super) const fn list(name: &'static str, kind: Kind) -> Field {
    Field::new(name, kind, Cardinality::ZeroOrMore)
}

/// `+`: a list with at least one element.
pub(super) const fn filled(name: &'static str, kind: Kind) -> Field {
    Field::new(name, kind, Cardinality::OneOrMore)
}

/// How often a field occurs (T-38).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cardinality {
    /// `1`: present and not null.
    One,
    /// `?`: absent and null mean the same.
    ZeroOrOne,
    /// `*`: absent, null and `[]` mean the same.
    ZeroOrMore,
    /// `+`: a list with at least one element.
    OneOrMore,
}

impl Cardinality {
    /// Whether the field must be there.
    #[must_use]
    pub fn is_required(self) -> bool {
        matches!(self, Self::One | Self::OneOrMore)
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_list(self) -> bool {
        matches!(self, Self::ZeroOrMore | Self::OneOrMore)
    }
}

/// What a field, or each element of it, holds.
#[derive(Debug)]
pub enum Kind {
    /// Printable ASCII compared without case, with the most characters allowed (T-42).
    CiString(usize),
    /// Printable text, with the most characters allowed (T-43).
    Text(usize),
    /// Printable text of any length.
    LongText,
    /// A URL of at most 255 characters (T-46).
    Url,
    /// An instant (T-44).
    DateTime,
    /// A number with at most four decimals, where no shape says otherwise (T-45).
    Number,
    /// A whole number.
    Integer,
    /// A whole number of at most so many digits.
    Digits(usize),
    /// `true` or `false`.
    Bool,
    /// One of the values of an enumeration.
    OneOf(&'static Enumeration),
    /// An object.
    Object(&'static Structure),
    /// Whatever it is.
    Anything,
}

/// An enumeration: exact spellings, case-sensitive.
#[derive(Debug)]
pub struct Enumeration {
    /// Its row in the checklist: `ENUM-01`.
    pub id: &'static str,
    /// Its name in the specification.
    pub name: &'static str,
    /// The values 2.2.1 knows.
    pub values: &'static [&'static str],
    /// Whether the specification lets anybody add values of their own.
    pub open: bool,
}

/// How a text must look. Something else is worth a warning.
pub struct Shape {
    /// What to say of a text that does not.
    pub reason: &'static str,
    /// Whether a text does; a number is given as it is spelled.
    pub fits: fn(&str) -> bool,
}

impl fmt::Debug for Shape {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Shape({:?})", self.reason)
    }
}

/// What the fields of one object must be to each other.
pub struct Rule {
    /// Its row in the checklist.
    pub clause: &'static str,
    /// How bad it is to break it.
    pub severity: Severity,
    /// The field it is about; empty for the object.
    pub field: &'static str,
    /// What to say when it is broken.
    pub reason: &'static str,
    /// Whether it is.
    pub broken: fn(&Members<'_>) -> bool,
}

impl fmt::Debug for Rule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "Rule({}, {:?}, /{}: {})",
            self.clause, self.severity, self.field, self.reason
        )
    }
}

impl fmt::Display for Field {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}{}", self.name, self.kind, self.cardinality)
    }
}

impl fmt::Display for Cardinality {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::One => "!",
            Self::ZeroOrOne => "?",
            Self::ZeroOrMore => "*",
            Self::OneOrMore => "+",
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CiString(most) => write!(out, "ci({most})"),
            Self::Text(most) => write!(out, "str({most})"),
            Self::LongText => out.write_str("str"),
            Self::Url => out.write_str("URL"),
            Self::DateTime => out.write_str("dt"),
            Self::Number => out.write_str("num"),
            Self::Integer => out.write_str("int"),
            Self::Digits(most) => write!(out, "int({most})"),
            Self::Bool => out.write_str("bool"),
            Self::OneOf(enumeration) => out.write_str(enumeration.name),
            Self::Object(structure) => out.write_str(structure.name),
            Self::Anything => out.write_str("any"),
        }
    }
}
