//! Where the parts of a document stand, in bytes from its start, so that one of them can be changed and no other octet.

use std::borrow::Cow;
use std::ops::Range;

use super::json::{JsonError, Walk};

/// The members of an object, in their order, repeated names included.
pub(super) struct Object<'a> {
    pub(super) members: Vec<Member<'a>>,
    /// Where another member would begin: behind the last value, or behind the opening brace.
    pub(super) end: usize,
}

pub(super) struct Member<'a> {
    /// Without its escapes.
    pub(super) name: Cow<'a, str>,
    /// From the name's first quote to the end of the value.
    pub(super) whole: Range<usize>,
    pub(super) value: Range<usize>,
}

impl<'a> Object<'a> {
    /// # Errors
    /// [`JsonError`] when `body` is no JSON or no object.
    pub(super) fn read(body: &'a [u8]) -> Result<Self, JsonError> {
        let mut walk = Walk::over(body)?;
        let start = walk.at();
        if walk.peek() != Some(b'{') {
            walk.skip()?;
            walk.end()?;
            return Err(JsonError::NotAnObject);
        }
        let mut object = Self {
            members: Vec::new(),
            end: start + 1,
        };
        walk.object(|walk, name| {
            let name_start = walk.name_start();
            let value = value(walk)?;
            object.end = value.end;
            object.members.push(Member {
                name,
                whole: name_start..value.end,
                value,
            });
            Ok(())
        })?;
        walk.end()?;
        Ok(object)
    }

    /// The member most readers of JSON believe when a name appears twice.
    pub(super) fn last(&self, name: &str) -> Option<&Member<'a>> {
        self.members.iter().rev().find(|member| member.name == name)
    }
}

/// The elements of a list.
pub(super) struct List {
    pub(super) elements: Vec<Range<usize>>,
    /// Where another element would begin: behind the last one, or behind the opening bracket.
    pub(super) end: usize,
}

impl List {
    /// The list at `place` of `body`; its elements are counted from the start of `body`.
    ///
    /// # Errors
    /// [`JsonError::NotAList`] when something else stands there.
    pub(super) fn read(body: &[u8], place: &Range<usize>) -> Result<Self, JsonError> {
        let mut walk = Walk::over(cut(body, place))?;
        let start = walk.at();
        if walk.peek() != Some(b'[') {
            walk.skip()?;
            walk.end()?;
            return Err(JsonError::NotAList);
        }
        let mut list = Self {
            elements: Vec::new(),
            end: place.start + start + 1,
        };
        walk.array(|walk| {
            let element = value(walk)?;
            list.end = place.start + element.end;
            list.elements.push(place.start + element.start..list.end);
            Ok(())
        })?;
        walk.end()?;
        Ok(list)
    }
}

/// Where the one value stands that `body` is.
pub(super) fn document(body: &[u8]) -> Result<Range<usize>, JsonError> {
    let mut walk = Walk::over(body)?;
    let place = value(&mut walk)?;
    walk.end()?;
    Ok(place)
}

fn value(walk: &mut Walk<'_>) -> Result<Range<usize>, JsonError> {
    let start = walk.at();
    let text = walk.value()?;
    Ok(start..start + text.len())
}

/// The octets at a place we found ourselves.
pub(super) fn cut<'b>(body: &'b [u8], place: &Range<usize>) -> &'b [u8] {
    body.get(place.clone()).unwrap_or_default()
}

/// `body` with other octets at the given places, which are in order and do not overlap.
pub(super) fn replaced<'r>(body: &[u8], changes: impl IntoIterator<Item = (Range<usize>, Cow<'r, [u8]>)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    let mut kept = 0;
    for (place, octets) in changes {
        out.extend_from_slice(cut(body, &(kept..place.start)));
        out.extend_from_slice(&octets);
        kept = place.end;
    }
    out.extend_from_slice(body.get(kept..).unwrap_or_default());
    out
}
