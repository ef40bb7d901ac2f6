export { makePlace, type Place, type ProfileName, profiles } from '../../core/sdk/test-places.ts'
