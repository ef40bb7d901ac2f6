/** So many a letter goes to at most, To and Cc together: more are a mailing, which many mail servers refuse. */
export const maxRecipients = 50
