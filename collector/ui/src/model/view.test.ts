import { describe, expect, it } from 'vitest';
import { DEFAULT_VIEW, formatView, parseView, type View } from './view';

describe('the view in the address', () => {
  it('is read back as it was written', () => {
    const view: View = {
      page: 'exporters',
      profile: 'default/zone1-profile',
      metric: 'flows',
      value: 'sum',
      window: '1w',
      steps: 'finest',
      hidden: ['http-alt', 'a&b=c #1'],
    };
    expect(parseView(formatView(view))).toEqual(view);
    expect(formatView(view)).toContain('profile=default/zone1-profile');
  });

  it('leaves out what is the default', () => {
    expect(formatView(DEFAULT_VIEW)).toBe('');
    expect(parseView('')).toEqual(DEFAULT_VIEW);
  });

  it('takes defaults for what it does not know', () => {
    expect(parseView('?metric=apples&window=2y&value=&page=x&hide=a&hide=a')).toEqual({
      ...DEFAULT_VIEW,
      hidden: ['a'],
    });
  });
});
