//! The use cases of webhooks: how a delivery stands, and sending it again.

use url::Url;
use uuid::Uuid;

use super::jobs::parse_id;
use super::{Caller, Service, ServiceError};
use crate::job::{
    Delivery, Handling, Invalid, RawRequest, Rule, Subject, check_webhook_url, quoted,
};
use crate::net::names_internal_host;
use crate::store::{Reported, ResendError};

/// The webhook of a job or a batch.
#[derive(Clone, Debug)]
pub struct WebhookStatus {
    pub subject: Subject,
    /// The job or batch behind it.
    pub id: Uuid,
    pub url: String,
    /// `None` while that has not ended.
    pub delivery: Option<Delivery>,
}

impl Service {
    /// Returns the state of the webhook of a job or a batch that the caller may read.
    ///
    /// # Errors
    /// Returns an error if the caller has no such job or batch, it has no webhook, or the store
    /// failed.
    pub async fn webhook(
        &self,
        caller: &Caller,
        subject: Subject,
        id: &str,
    ) -> Result<WebhookStatus, ServiceError> {
        let id = parse_id(id).map_err(|_| not_found(subject))?;
        let now_ms = self.clock.now_ms();
        let found = self.store.webhook_of(subject, id, now_ms, |reported| match reported {
            Reported::Job(job, _) => (job.account.clone(), job.webhook_url.clone()),
            Reported::Batch(batch) => (batch.account.clone(), batch.webhook_url.clone()),
            // Their alerts show them.
            Reported::Notice(notice) => (notice.account.clone(), None),
        });
        let read = found.await?.filter(|((account, _), _)| self.may_read(caller, account, id));
        let ((_, url), delivery) = read.ok_or_else(|| not_found(subject))?;
        let url = url.ok_or(ServiceError::WebhookNotFound { job_id: job_id(subject, id) })?;
        Ok(WebhookStatus { subject, id, url, delivery })
    }

    /// Sends the webhook of a job or a batch of the caller's once more, whatever its state.
    /// Counts as a request under the caller's rate limit.
    ///
    /// # Errors
    /// Returns an error if the caller has no such job or batch, it has no webhook or has not ended,
    /// nothing can sign, the caller is too fast, or the store failed.
    pub async fn send_webhook_again(
        &self,
        caller: &Caller,
        subject: Subject,
        id: &str,
    ) -> Result<WebhookStatus, ServiceError> {
        let id = parse_id(id).map_err(|_| not_found(subject))?;
        self.webhooks_ready()?;
        self.within_rate(caller).await?;
        let now_ms = self.clock.now_ms();
        match self.store.send_again(subject, id, caller.account.clone(), now_ms).await? {
            Ok(delivery) => {
                tracing::info!(of = %id, account = caller.account, "webhook sent again");
                let url = delivery.url.clone();
                Ok(WebhookStatus { subject, id, url, delivery: Some(delivery) })
            }
            Err(ResendError::Gone) => Err(not_found(subject)),
            Err(ResendError::NoWebhook) => {
                Err(ServiceError::WebhookNotFound { job_id: job_id(subject, id) })
            }
            Err(ResendError::Unfinished) => {
                Err(ServiceError::WebhookPending { job_id: job_id(subject, id) })
            }
        }
    }

    /// Checks and takes what says how a job is to be handled.
    ///
    /// # Errors
    /// Returns an error if a parameter breaks its rule.
    pub fn take_handling(&self, raw: &mut RawRequest) -> Result<Handling, Invalid> {
        let handling = raw.take_handling()?;
        self.check_retention(handling.retain_hours)?;
        if let Some(url) = &handling.webhook_url {
            self.check_webhook_url(url)?;
        }
        Ok(handling)
    }

    /// Checks the address of a webhook, and returns it as it is called. Where a name leads is not
    /// looked at before the delivery.
    ///
    /// # Errors
    /// Returns an error if the address breaks its rule, or names an internal host outright that
    /// `allow_hosts` does not list.
    pub fn check_webhook_url(&self, given: &str) -> Result<String, Invalid> {
        let url = check_webhook_url(given)?;
        let parsed = Url::parse(&url).ok();
        let allow_hosts = &self.settings.webhooks.allow_hosts;
        if let Some(url) = parsed.filter(|url| names_internal_host(url, allow_hosts)) {
            let sentence = format!(
                "Parameter `webhook_url` must lead to a public address, or to a host that \
                 `allow_hosts` in [webhooks] lists; given: the host {}.",
                quoted(url.host_str().unwrap_or_default())
            );
            return Err(Invalid::new(Rule::WebhookUrlInvalid, sentence));
        }
        Ok(url)
    }

    /// Returns whether webhooks can be signed.
    pub(super) fn webhooks_ready(&self) -> Result<(), ServiceError> {
        match &self.settings.webhooks.missing {
            None => Ok(()),
            Some(missing) => Err(ServiceError::WebhooksNotConfigured { missing: missing.clone() }),
        }
    }
}

fn not_found(subject: Subject) -> ServiceError {
    match subject {
        Subject::Job => ServiceError::JobNotFound,
        Subject::Batch => ServiceError::BatchNotFound,
        Subject::Notice => ServiceError::AlertNotFound,
    }
}

fn job_id(subject: Subject, id: Uuid) -> Option<Uuid> {
    match subject {
        Subject::Job => Some(id),
        Subject::Batch | Subject::Notice => None,
    }
}
