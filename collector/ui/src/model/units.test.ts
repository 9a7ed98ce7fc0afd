import { describe, expect, it } from 'vitest';
import { axisLabels, cell, exact, percent, scaled, spoken, toValue, unitOf } from './units';

describe('units', () => {
  it('counts traffic in bytes as a sum and in bits per second as a rate', () => {
    expect(unitOf('traffic', 'sum')).toBe('B');
    expect(unitOf('traffic', 'rate')).toBe('bit/s');
    expect(toValue('traffic', 'sum', 1000, 10_000)).toBe(1000);
    expect(toValue('traffic', 'rate', 1000, 10_000)).toBe(800);
    expect(toValue('packets', 'rate', 1000, 10_000)).toBe(100);
  });

  it('has no rate without covered time', () => {
    expect(toValue('flows', 'rate', 5, 0)).toBeNull();
    expect(toValue('flows', 'rate', null, 10)).toBeNull();
  });

  it.each([
    [0, '0', ''],
    [7, '7', ''],
    [999, '999', ''],
    [999.4, '999', ''],
    [999.6, '1.00', 'k'],
    [1234, '1.23', 'k'],
    [12_345, '12.3', 'k'],
    [123_456, '123', 'k'],
    [999_499, '999', 'k'],
    [999_500, '1.00', 'M'],
    [1e18, '1.00', 'E'],
    [1e21, '1000', 'E'],
    [0.5, '0.500', ''],
    [0.0001, '<0.001', ''],
    [9.999, '10.0', ''],
    [-1500, '-1.50', 'k'],
  ])('writes %d as %s %s', (number, text, prefix) => {
    expect(scaled(number)).toEqual([text, prefix]);
  });

  it('writes cells and sentences with their units', () => {
    expect(cell('traffic', 'rate', 12_345)).toBe('12.3\u00a0kbit/s');
    expect(cell('traffic', 'sum', 12_345)).toBe('12.3\u00a0kB');
    expect(cell('traffic', 'sum', 12)).toBe('12\u00a0B');
    expect(cell('flows', 'sum', 12_345)).toBe('12.3\u00a0k');
    expect(cell('flows', 'rate', null)).toBe('–');
    expect(spoken('flows', 'rate', 2)).toBe('2\u00a0flows/s');
    expect(spoken('flows', 'rate', null)).toBe('nothing collected');
  });

  it('labels an axis by magnitude', () => {
    expect(axisLabels([-2000, 0, 1500, 10_000_000])).toEqual(['2 k', '0', '1.5 k', '10 M']);
  });

  it('writes shares and every digit of a sum', () => {
    expect(percent(1, 3)).toBe('33.3 %');
    expect(percent(0, 3)).toBe('0 %');
    expect(percent(1, 1_000_000)).toBe('<0.01 %');
    expect(percent(1, 0)).toBe('–');
    expect(exact(1_234_567)).toBe('1,234,567');
  });
});
