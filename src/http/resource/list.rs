//! `GET /jobs`: the jobs of the key that asks, newest first, in pages or as an export that is
//! streamed. Contract part 2.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use actix_web::{HttpResponse, web};

use crate::answer::SearchObject;
use crate::api::{ErrorCode, JobView, JobsView};
use crate::http::error::ApiError;
use crate::http::request::call::{ApiCall, ApiResult};
use crate::http::request::job_filter;
use crate::http::request::params::Pairs;
use crate::http::resource::export::{self, Formulas};
use crate::service::{Caller, Service, ServiceError};
use crate::store::{Cursor, ListFilter, ListPage};

/// Bounds and default of `limit`, jobs in a page.
pub(crate) const LIMIT_MAX: usize = 200;
pub(crate) const LIMIT_DEFAULT: usize = 50;

/// A checked query.
pub(crate) struct Query {
    pub filter: ListFilter,
    pub after: Option<Cursor>,
    pub limit: usize,
    /// Whether it is not about the caller's own jobs.
    shows_account: bool,
    formulas: Formulas,
}

/// Returns a page, or all pages in a row where `Accept` names a format of lines.
pub(crate) async fn list(mut call: ApiCall, caller: Caller) -> ApiResult {
    let pairs = call.take_query()?;
    let service = call.service();
    let query = query(service, caller, pairs).await?;
    if let Some(format) = wanted_format(call.headers()) {
        let body = Export::new(service.clone(), query, format);
        let content_type = (CONTENT_TYPE, format.content_type());
        return Ok(HttpResponse::Ok().insert_header(content_type).body(body));
    }
    let limit = query.limit;
    let page = read_page(service.clone(), query, limit).await?;
    Ok(HttpResponse::Ok().json(page.view(service)))
}

/// Returns the first format of lines that `Accept` names.
pub(crate) fn wanted_format(headers: &HeaderMap) -> Option<export::Format> {
    let accept = headers.get_all(ACCEPT).filter_map(|value| value.to_str().ok());
    accept
        .flat_map(|value| value.split(','))
        .filter_map(|media_type| media_type.split(';').next())
        .find_map(|media_type| export::Format::of(media_type.trim()))
}

/// Reads the query of a list.
///
/// # Errors
/// Returns an error if a filter or a bound breaks its rule.
pub(crate) async fn query(
    service: &Service,
    caller: Caller,
    pairs: Pairs,
) -> Result<Query, ApiError> {
    let filter = ListFilter { account: caller.account.clone(), ..ListFilter::default() };
    let mut asked = Query {
        filter,
        after: None,
        limit: LIMIT_DEFAULT,
        shows_account: false,
        formulas: Formulas::Escape,
    };
    for (name, value) in pairs {
        let Some(value) = job_filter::set(service, &mut asked.filter, &name, value).await? else {
            continue;
        };
        match name.as_str() {
            "limit" => asked.limit = limit(&value)?,
            "formulas" => {
                let (code, rule) = (ErrorCode::FormulasInvalid, "`escape` or `keep`");
                asked.formulas = Formulas::of(&value)
                    .ok_or_else(|| ApiError::invalid(code, "formulas", rule, &value))?;
            }
            "cursor" => asked.after = Some(cursor(service, &value)?),
            "account" => {
                let hours = service.retention_hours();
                service
                    .list_account(&caller, &value, &mut asked.filter)
                    .map_err(|error| ApiError::from_service(error, hours))?;
                asked.shows_account = true;
            }
            _ => {}
        }
    }
    Ok(asked)
}

/// Reads the `limit` of a page.
///
/// # Errors
/// Returns an error if it is no number from 1 to [`LIMIT_MAX`].
pub(crate) fn limit(value: &str) -> Result<usize, ApiError> {
    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| {
        ApiError::invalid(ErrorCode::LimitInvalid, "limit", &format!("1 to {LIMIT_MAX}"), value)
    })
}

/// Reads where a page begins.
///
/// # Errors
/// Returns an error if it is no cursor of this service's.
pub(crate) fn cursor(service: &Service, value: &str) -> Result<Cursor, ApiError> {
    let rule = "the `next_cursor` of an earlier page";
    let cursor = service.cursor(value);
    cursor.ok_or_else(|| ApiError::invalid(ErrorCode::CursorInvalid, "cursor", rule, value))
}

/// A page with the searches behind its answers.
pub(crate) struct SearchedPage {
    page: ListPage,
    searches: Vec<Option<SearchObject>>,
    /// What was asked for.
    query: Query,
}

impl SearchedPage {
    /// Returns the page as `GET /jobs` does.
    pub(crate) fn view(&self, service: &Service) -> JobsView<JobView<'_>> {
        JobsView {
            jobs: self.jobs(service).collect(),
            next_cursor: self.page.next.map(|next| service.cursor_text(next)),
        }
    }

    /// Returns its jobs; with their accounts where these may differ.
    fn jobs(&self, service: &Service) -> impl Iterator<Item = JobView<'_>> {
        self.page.jobs.iter().zip(&self.searches).map(move |(job, search)| {
            let view = JobView::new(job, service.id_of(job), None, None);
            view.listed(job, search.clone(), self.query.shows_account)
        })
    }
}

pub(crate) type PageRead = Result<SearchedPage, ServiceError>;

/// Reads a page off the actix threads: one may look at many rows, and results are large.
pub(crate) async fn read_page(service: Arc<Service>, query: Query, limit: usize) -> PageRead {
    let read = move || {
        let page = service.list(&query.filter, query.after, limit)?;
        let searches = page.jobs.iter().map(|job| service.searches_of(job)).collect();
        Ok(SearchedPage { page, searches, query })
    };
    // The pool refuses only while the process ends.
    web::block(read).await.unwrap_or(Err(ServiceError::Stopping))
}

/// All pages in a row. Nothing of the store is held while the client takes its time.
struct Export {
    service: Arc<Service>,
    format: export::Format,
    ready: VecDeque<web::Bytes>,
    reading: Option<Pin<Box<dyn Future<Output = PageRead>>>>,
}

impl Export {
    fn new(service: Arc<Service>, query: Query, format: export::Format) -> Export {
        let reading = read_page(service.clone(), query, LIMIT_MAX);
        let header = format.header().map(web::Bytes::from_static);
        Export {
            service,
            format,
            ready: header.into_iter().collect(),
            reading: Some(Box::pin(reading)),
        }
    }

    /// Writes the lines of a page, and begins to read the next one.
    fn take(&mut self, read: SearchedPage) {
        let mut lines = Vec::new();
        for job in read.jobs(&self.service) {
            self.format.line(&mut lines, &job, read.query.formulas);
        }
        if !lines.is_empty() {
            self.ready.push_back(lines.into());
        }
        if let Some(next) = read.page.next {
            let query = Query { after: Some(next), ..read.query };
            self.reading = Some(Box::pin(read_page(self.service.clone(), query, LIMIT_MAX)));
        }
    }
}

impl MessageBody for Export {
    type Error = ApiError;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<web::Bytes, ApiError>>> {
        loop {
            if let Some(lines) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(lines)));
            }
            let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
            let read = ready!(reading.as_mut().poll(context));
            self.reading = None;
            match read {
                Ok(page) => self.take(page),
                // The connection is cut, so that a part is not taken for the whole.
                Err(error) => {
                    let hours = self.service.retention_hours();
                    return Poll::Ready(Some(Err(ApiError::from_service(error, hours))));
                }
            }
        }
    }
}
