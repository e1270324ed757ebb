//! What is done for one login: kept, sent, tried, told to home.
//!
//! Owns what is durable before what. Each is done once; what follows from it is decided by looking again.

use super::begun::Begun;
use super::login::{Held, addresses, app, at};
use super::record::{Last, Open, Record, Refused, Shelf, digest};
use super::story::{DONE, Story, TRY, written};
use super::{Word, XeroLogin, damaged, token, told};
use crate::apply::{MintError, mint};
use crate::journal::{Answer, Operation};
use crate::secret::Secret;
use crate::store::{ErrorKind, Store, StoreError};
use crate::xero::{Client, Grant, RefreshToken, Tokens, XeroError};
use jiff::{SignedDuration, Timestamp};

impl XeroLogin<'_> {
    /// Keeps what is about to be sent, here and in home, once it is known that home can be written to.
    pub(super) async fn intend(
        &self,
        round: usize,
        begun: &Begun,
        operation: &mut Operation,
        store: &dyn Store,
    ) -> Result<String, StoreError> {
        operation.keep_minted(&format!("begun-{round}"), &begun.sealable()).map_err(damaged)?;
        let Some(shelf) = self.shelf(store) else { return Ok(DONE.to_owned()) };
        match self.show_writable(begun, operation, store).await {
            Ok(()) => {}
            // With nothing sent yet there is nothing to go on with. Once a token was sent, there is.
            Err(error) if round == 1 && !begun.doubt => return Ok(told::refused_by_home(&error)),
            Err(error) => return Err(error),
        }
        let before = shelf.read().await?;
        self.hand_over(&before, begun, operation, store).await?;
        let spelled =
            begun.held.iter().filter_map(|(name, held)| Some((name.to_string(), held.spelled.clone()?)));
        let accesses = begun
            .held
            .iter()
            .filter_map(|(name, held)| Some((name.to_string(), digest(held.access.as_ref()?))));
        let open = Open {
            operation: operation.id().to_string(),
            by: self.by.clone(),
            from: digest(&begun.token),
            first: begun.first,
            spelled: spelled.collect(),
            accesses: accesses.collect(),
            answer: None,
            earlier: begun.told.clone(),
        };
        let kept =
            match shelf.write(operation.id(), &Record { open: Some(open.clone()), ..before.clone() }).await {
                // Too long with the answer of before, which is sealed here: home does without.
                Err(error) if error.kind == ErrorKind::Invalid && open.earlier.is_some() => {
                    let open = Some(Open { earlier: None, ..open });
                    shelf.write(operation.id(), &Record { open, ..before }).await
                }
                kept => kept,
            };
        match kept {
            Ok(()) => Ok(DONE.to_owned()),
            Err(error) if round == 1 && !begun.doubt => Ok(told::refused_by_home(&error)),
            Err(error) => Err(error),
        }
    }

    /// Where an instance has another user by now, our record may have an answer for the login that it was of: that goes into
    /// the record of an instance that is of it still, where whoever refreshes that one finds it.
    async fn hand_over(
        &self,
        record: &Record,
        begun: &Begun,
        operation: &Operation,
        store: &dyn Store,
    ) -> Result<(), StoreError> {
        let waits = |open: &&Open| open.operation != operation.id().as_str() && open.told().is_some();
        let Some(open) = record.open.as_ref().filter(waits).filter(|_| begun.told.is_none()) else {
            return Ok(());
        };
        for name in open.instances().iter().filter(|name| !begun.held.contains_key(*name)) {
            let shelf = Shelf { store, address: Record::address(&self.spec.group, name) };
            let theirs = shelf.read().await?;
            if theirs.open.is_none() {
                return shelf.write(operation.id(), &Record { open: Some(open.clone()), ..theirs }).await;
            }
        }
        Ok(())
    }

    /// Puts a time back as it is, or an access token where no time is stored: a right that is missing is found while the token
    /// is good. Between our look and our write the app may have stored a later one; of an earlier time it only refreshes
    /// sooner, and an earlier access token is replaced by the one that is asked for now.
    async fn show_writable(
        &self,
        begun: &Begun,
        operation: &Operation,
        store: &dyn Store,
    ) -> Result<(), StoreError> {
        for name in begun.held.keys() {
            for key in [&self.spec.token_expires_at, &self.spec.access_token] {
                if (Shelf { store, address: at(self.spec, name, key) }).put_back(operation.id()).await? {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Sends the token. What comes back is sealed here, then told to home, and only then read.
    pub(super) async fn ask(
        &self,
        number: usize,
        old: &Secret,
        operation: &mut Operation,
        store: &dyn Store,
    ) -> Result<String, StoreError> {
        // What stops it before the call says so: else the token counted as perhaps used up.
        let members = self.members();
        let held: Vec<Held> = match store.read(&addresses(self.spec, &members)).await {
            Ok(home) => members.iter().map(|name| Held::of(&home, self.spec, name)).collect(),
            Err(error) => return Ok(told::unsent(&error)),
        };
        let Some((id, secret)) = app(&held) else { return Ok(self.appless()) };
        let client = Client { id: id.expose(), secret };
        let (xero, grant) = (self.xero(), Grant::Refresh(old));
        {
            let mut learned = self.learned();
            (learned.asked, learned.sent) = (true, true);
            learned.calls += 1;
        }
        let call = async { xero.token(&client, &grant).await?.minted() };
        let answer = match mint(operation, &token(number), call).await {
            Ok(answer) => {
                self.learned().answered = true;
                match self.tell_home(&answer, operation, store).await {
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "home is not told the answer"),
                }
                answer
            }
            Err(MintError::Failed(error)) => return Ok(self.failed(&error, number)),
            Err(MintError::Unkept { answer, source }) => {
                // It is nowhere but here: home is the last chance.
                if !matches!(self.tell_home(&answer, operation, store).await, Ok(true)) {
                    self.save(&answer, old, operation, store).await?;
                    let message = "the answer could be kept neither here nor in home's record";
                    return Err(StoreError::new(ErrorKind::Failed, "the journal", message)
                        .hint("home has the new refresh token: `strongroom resume` asks for the rest")
                        .because(source));
                }
                (self.tell)(Word::Warning(format!("{}: kept in home only: {source}", self.name())));
                answer
            }
            Err(MintError::Journal(error)) => return Err(damaged(error)),
        };
        match Tokens::parse(&answer) {
            Ok(tokens) => {
                self.compare_clocks(&tokens, operation.now());
                Ok(DONE.to_owned())
            }
            Err(error) => Ok(self.failed(&error, number)),
        }
    }

    /// Tells home the answer; `false` where home cannot keep it.
    async fn tell_home(
        &self,
        answer: &Answer,
        operation: &Operation,
        store: &dyn Store,
    ) -> Result<bool, StoreError> {
        let Some(shelf) = self.shelf(store) else { return Ok(false) };
        let mut record = shelf.read().await?;
        record.open = record.open.and_then(|open| open.with(answer));
        // Longer than home takes, or no text: then this host alone has it.
        if record.open.is_none() {
            return Ok(false);
        }
        shelf.write(operation.id(), &record).await.map(|()| true)
    }

    /// Puts the new refresh token in the place of the old one, where nothing else keeps it.
    async fn save(
        &self,
        answer: &Answer,
        old: &Secret,
        operation: &Operation,
        store: &dyn Store,
    ) -> Result<(), StoreError> {
        let Ok(tokens) = Tokens::parse(answer) else { return Ok(()) };
        let members = self.members();
        let home = store.read(&addresses(self.spec, &members)).await?;
        for name in &members {
            if Held::of(&home, self.spec, name).refresh.is_some_and(|now| now.same_as(old)) {
                let address = at(self.spec, name, &self.spec.refresh_token);
                Shelf { store, address }.put(operation.id(), &tokens.refresh_token).await?;
            }
        }
        Ok(())
    }

    /// Tries the new access token, and compares the organisations that it is good for. Whatever comes out of it, the
    /// tokens are what is good.
    pub(super) async fn try_out(&self, access: &Secret, store: &dyn Store) -> Result<String, StoreError> {
        let connections = match self.xero().connections(access).await {
            Ok(connections) => connections,
            Err(error) => {
                (self.tell)(Word::Warning(self.untried(&error)));
                return Ok(format!("not tried: {error}"));
            }
        };
        let members = self.members();
        let home = store.read(&addresses(self.spec, &members)).await?;
        for name in &members {
            let tenant = Held::of(&home, self.spec, name).tenant;
            if let Some(one) = connections
                .iter()
                .find(|one| tenant.as_ref().is_some_and(|tenant| tenant.expose() == one.tenant))
            {
                self.know(&[(name.to_string(), one.name.clone())].into());
            } else {
                (self.tell)(Word::Warning(self.missing(name, tenant.is_some(), &connections)));
            }
        }
        Ok(DONE.to_owned())
    }

    /// Tells home that nothing is under way, and who was there last.
    pub(super) async fn close(
        &self,
        operation: &mut Operation,
        store: &dyn Store,
    ) -> Result<String, StoreError> {
        let Some(shelf) = self.shelf(store) else { return Ok(DONE.to_owned()) };
        let before = shelf.read().await?;
        let refreshed = operation.acted().iter().any(|one| one.effect == TRY);
        let at = operation.now().as_second();
        let organisations = self.learned().organisations.clone();
        let last = refreshed.then(|| Last { at, by: self.by.clone(), organisations });
        let refused = if refreshed { None } else { self.refused(operation)?.or(before.refused) };
        let record = Record { open: None, last: last.or(before.last), refused };
        match shelf.write(operation.id(), &record).await {
            Ok(()) => Ok(DONE.to_owned()),
            // It is about tokens that home holds no more, and so soon about nothing.
            Err(error) => {
                (self.tell)(Word::Warning(self.unclosed(&error)));
                Ok(format!("home still says that it goes on: {error}"))
            }
        }
    }

    /// What Xero refused in this operation.
    fn refused(&self, operation: &Operation) -> Result<Option<Refused>, StoreError> {
        let story = Story::of(operation.acted());
        let begun = super::begun(operation, story.rounds.len())?;
        let asks =
            begun.iter().zip(&story.rounds).filter_map(|(begun, round)| Some((begun, round.asks.last()?)));
        let refused: Vec<_> =
            asks.filter(|(_, ask)| !ask.answered && ask.token == RefreshToken::Refused).collect();
        let of = refused.iter().map(|(begun, _)| digest(&begun.token)).collect();
        let at = refused.last().map(|(_, ask)| ask.at.as_second());
        Ok(at.map(|at| Refused { at, by: self.by.clone(), of }))
    }

    fn failed(&self, error: &XeroError, number: usize) -> String {
        let deadline = self.learned().deadline;
        (self.tell)(Word::Note(self.again(error, number, deadline)));
        written(error)
    }

    fn compare_clocks(&self, tokens: &Tokens, now: Timestamp) {
        let ahead = tokens.access.ahead(now).unwrap_or_default();
        if ahead.abs() > SignedDuration::from_secs(60) {
            (self.tell)(Word::Warning(told::clock(ahead)));
        }
    }
}
