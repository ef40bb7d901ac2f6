/** The core's history, oldest first. */
import type { Migration } from '../core/sdk/plugin.ts'
import { spine } from './0001-spine.ts'
import { letters } from './0002-letters.ts'
import { sendProgress } from './0003-send-progress.ts'
import { replyWindow } from './0004-reply-window.ts'
import { remoteFiles } from './0005-remote-files.ts'
import { activities } from './0006-activities.ts'
import { inboxHealth } from './0007-inbox-health.ts'
import { onePerson } from './0008-one-person.ts'
import { claimedEvents } from './0009-claimed-events.ts'
import { tokenAddress } from './0010-token-address.ts'
import { rolePreview } from './0011-role-preview.ts'
import { totpStep } from './0012-totp-step.ts'
import { assignmentRule } from './0013-assignment-rule.ts'
import { recoveryCode } from './0014-recovery-code.ts'
import { longText } from './0016-long-text.ts'
import { contactKeys } from './0017-contact-keys.ts'
import { notice } from './0021-notice.ts'
import { profile } from './0022-profile.ts'
import { contactFields } from './0023-contact-fields.ts'
import { records } from './0030-records.ts'
import { recordWalk } from './0031-record-walk.ts'
import { contactWords } from './0032-contact-words.ts'
import { searchIndex } from './0033-search-index.ts'
import { doneBy } from './0035-done-by.ts'
import { recordBatch } from './0036-record-batch.ts'
import { contactFieldValue } from './0037-contact-field-value.ts'
import { personalFields } from './0042-personal-fields.ts'
import { sealedContact } from './0044-sealed-contact.ts'
import { retention } from './0045-retention.ts'
import { conversationEnded } from './0046-conversation-ended.ts'
import { reports } from './0048-reports.ts'
import { reportGrains } from './0056-report-grains.ts'
import { waitingSince } from './0057-waiting-since.ts'
import { identityAddress } from './0059-identity-address.ts'
import { sends } from './0061-sends.ts'
import { contactTimeline } from './0062-contact-timeline.ts'
import { contactThread } from './0063-contact-thread.ts'
import { accountKeys } from './0064-account-keys.ts'
import { processes } from './0066-processes.ts'
import { tidying } from './0067-tidying.ts'
import { agentDelivered } from './0068-agent-delivered.ts'
import { suspendedRules } from './0069-suspended-rules.ts'
import { fieldMessage } from './0070-field-message.ts'
import { labelledFacts } from './0071-labelled-facts.ts'
import { foundContacts } from './0074-found-contacts.ts'
import { conversationAgent } from './0075-conversation-agent.ts'
import { sealedIdentity } from './0076-sealed-identity.ts'
import { roundsAndRefusedPushes } from './0077-rounds-and-refused-pushes.ts'
import { runBy } from './0079-run-by.ts'
import { fileMessage } from './0080-file-message.ts'
import { blockedByEach } from './0081-blocked-by-each.ts'
import { formerName } from './0083-former-name.ts'
import { nameSubject } from './0084-name-subject.ts'
import { messageBesides } from './0086-message-besides.ts'
import { reportTalk } from './0087-report-talk.ts'
import { saidMessages } from './0088-said-messages.ts'
import { messageWriter } from './0089-message-writer.ts'

export const coreMigrations: readonly Migration[] = [
  spine,
  letters,
  sendProgress,
  replyWindow,
  remoteFiles,
  activities,
  inboxHealth,
  onePerson,
  claimedEvents,
  tokenAddress,
  rolePreview,
  totpStep,
  assignmentRule,
  recoveryCode,
  notice,
  profile,
  longText,
  contactKeys,
  contactFields,
  records,
  recordWalk,
  contactWords,
  searchIndex,
  doneBy,
  recordBatch,
  contactFieldValue,
  personalFields,
  reports,
  sealedContact,
  retention,
  conversationEnded,
  reportGrains,
  waitingSince,
  sends,
  contactTimeline,
  identityAddress,
  contactThread,
  accountKeys,
  processes,
  tidying,
  agentDelivered,
  suspendedRules,
  fieldMessage,
  labelledFacts,
  foundContacts,
  conversationAgent,
  sealedIdentity,
  roundsAndRefusedPushes,
  runBy,
  fileMessage,
  blockedByEach,
  formerName,
  nameSubject,
  messageBesides,
  reportTalk,
  saidMessages,
  messageWriter,
]
